import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';

/** The status of an answer over a connection of its own; `refused` where none was made. */
export async function httpsStatus(options: RequestOptions): Promise<number | 'refused'> {
  const outgoing = request({ ...options, agent: false });
  outgoing.end();
  try {
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode ?? 0;
  } catch {
    return 'refused';
  }
}
