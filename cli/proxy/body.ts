import type { ClientRequest } from 'node:http';

const LARGEST = 64 << 20;
const TIMEOUT_MS = 5000;

/** Sends a request and gives the body of its answer; rejects for any status but 200. */
export function readBody(sent: ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    sent.setTimeout(TIMEOUT_MS, () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > LARGEST) sent.destroy(new Error('the answer is larger than 64 MiB'));
        chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`the answer was status ${String(response.statusCode)}`));
      });
    });
    sent.end();
  });
}
