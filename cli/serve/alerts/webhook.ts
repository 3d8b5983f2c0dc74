import { request as plainRequest } from 'node:http';
import { request } from 'node:https';
import type { Pending } from '../../../audit/alerts/courier.ts';
import { SIGNATURE_HEADER, signatureOf } from '../../../audit/alerts/signature.ts';
import type { Webhook } from './settings.ts';

/** What a receiver says is not read beyond this. */
const LARGEST_ANSWER = 64 * 1024;

/**
 * Posts one message. Nothing of where it goes comes from what was observed: the address is the file's, redirects are not followed, and what the
 * receiver answers is thrown away. Rejects with the reason.
 */
export function post({ url, secret, authorities, timeoutMs }: Webhook, { id, body }: Pending, clock: () => Date): Promise<void> {
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'gatehouse',
    'Gatehouse-Alert-Id': id,
    ...(secret === undefined ? {} : { [SIGNATURE_HEADER]: signatureOf(body, secret, clock()) }),
  };
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const options = { method: 'POST', headers, agent: false, signal } as const;
    const sent =
      url.protocol === 'https:'
        ? request(url, { ...options, minVersion: 'TLSv1.2', ...(authorities === undefined ? {} : { ca: authorities }) })
        : plainRequest(url, options);
    sent.on('response', (response) => {
      const { statusCode = 0 } = response;
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > LARGEST_ANSWER) response.destroy();
      });
      response.on('error', () => undefined);
      response.on('close', () => {
        if (statusCode >= 200 && statusCode < 300) resolve();
        else reject(new Error(`it answered ${String(statusCode)}`));
      });
    });
    sent.on('error', (error) => reject(signal.aborted ? new Error(`it did not answer within ${String(timeoutMs)} ms`) : error));
    sent.end(body);
  });
}
