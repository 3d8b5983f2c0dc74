import { request } from 'node:http';

const LARGEST_ANSWER = 16 * 1024 * 1024;

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/** One call of Envoy's admin interface on its Unix socket. Rejects when there is no answer within `timeoutMs`. */
export function adminCall(method: 'GET' | 'POST', socketPath: string, path: string, timeoutMs = 2000): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const options = { socketPath, path, method, headers: { host: 'localhost', connection: 'close' }, timeout: timeoutMs };
    const call = request(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > LARGEST_ANSWER) response.destroy(new Error('the admin interface answered too much'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error('the admin interface did not answer')));
    call.on('error', reject);
    call.end();
  });
}

export function adminGet(socketPath: string, path: string, timeoutMs?: number): Promise<AdminAnswer> {
  return adminCall('GET', socketPath, path, timeoutMs);
}

/** True once Envoy has its first configuration: /ready answers 200 LIVE. */
export async function isLive(socketPath: string): Promise<boolean> {
  try {
    const { status, body } = await adminGet(socketPath, '/ready');
    return status === 200 && body.trim() === 'LIVE';
  } catch {
    return false;
  }
}
