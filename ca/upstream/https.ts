import { request } from 'node:https';
import { outcome, refuse, type Outcome } from '../refusal.ts';

export interface HttpsOptions {
  /** Roots that the server's certificate must lead to, PEM; the machine's own roots when absent. */
  readonly rootsPem?: string | undefined;
  readonly timeoutMs: number;
}

export interface HttpsCall {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const LARGEST_ANSWER = 1024 * 1024;

/**
 * One call with JSON in both directions, over TLS only: what is sent holds credentials, and what comes back becomes trust. A
 * refusal tells what the server said where it said so in words; credentials are only ever in headers and bodies of requests.
 */
export function callJson({ method, url, headers, body }: HttpsCall, options: HttpsOptions): Promise<Outcome<unknown>> {
  if (url.protocol !== 'https:') return Promise.resolve(refuse('invalid', `${url.origin} is not https`));
  const sent = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve) => {
    const away = (why: string): void => resolve(refuse('unavailable', `${url.origin}: ${why}`));
    const call = request(
      url,
      {
        method,
        headers: {
          accept: 'application/json',
          ...headers,
          ...(sent !== undefined && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(sent)) }),
        },
        signal: AbortSignal.timeout(options.timeoutMs),
        minVersion: 'TLSv1.2',
        // No connection is kept: months pass between two calls.
        agent: false,
        ...(options.rootsPem !== undefined && { ca: options.rootsPem }),
      },
      (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          if (size > LARGEST_ANSWER) {
            away('its answer is larger than 1 MiB');
            response.destroy();
          } else parts.push(part);
        });
        response.on('end', () => resolve(answer(url, response.statusCode ?? 0, Buffer.concat(parts).toString('utf8'))));
        response.on('error', (error) => away(error.message));
      },
    );
    call.on('error', (error) => away(error.message));
    call.end(sent);
  });
}

function answer(url: URL, status: number, text: string): Outcome<unknown> {
  const document = json(text);
  if (status >= 200 && status < 300)
    return document === undefined ? refuse('unavailable', `${url.origin}: its answer is no JSON`) : outcome(document);
  const reason = `${url.origin}: status ${status}${said(document)}`;
  if (status === 401 || status === 403) return refuse('forbidden', reason);
  return status >= 400 && status < 500 && status !== 408 && status !== 429
    ? refuse('invalid', reason)
    : refuse('unavailable', reason);
}

/** The reason in the servers' own words: Vault and OpenBao send `errors`, step-ca sends `message`. */
function said(document: unknown): string {
  const fields = record(document);
  const { errors, message } = fields;
  const words = Array.isArray(errors) ? errors.filter((item) => typeof item === 'string').join('; ') : message;
  return typeof words === 'string' && words !== '' ? `: ${words.replaceAll(/\s+/g, ' ').slice(0, 300)}` : '';
}

/** The fields of a JSON object; none of anything else. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
