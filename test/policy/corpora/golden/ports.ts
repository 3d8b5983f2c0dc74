import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the range from which Linux takes ports for outgoing connections (32768 on), where any could be in use a moment later. */
const FIRST = 20_000;
const RANGE = 12_000;

let next = FIRST + ((process.pid * 97) % RANGE);

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '0.0.0.0');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** Ports on which nobody listens at any address, other ones each time. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  while (found.length < count) {
    next = FIRST + ((next - FIRST + 1) % RANGE);
    if (await isFree(next)) found.push(next);
  }
  return found;
}
