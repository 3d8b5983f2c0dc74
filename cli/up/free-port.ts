import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range that Linux takes source ports from, so that the port is still free when a restarted process wants it back.
const FIRST = 20_000;
const LAST = 31_999;
const TRIES = 200;

/** Whether a TCP port of an address can be bound now. */
export function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Whether a port can be bound on every one of the addresses. */
export async function allFree(hosts: readonly string[], port: number): Promise<boolean> {
  return (await Promise.all(hosts.map((host) => isFree(host, port)))).every(Boolean);
}

/** A port that is free on every one of the addresses. */
export async function freePort(hosts: readonly string[], except: ReadonlySet<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = randomInt(FIRST, LAST + 1);
    if (except.has(port)) continue;
    if (await allFree(hosts, port)) return port;
  }
  throw new Error(`no free port on ${hosts.join(', ')}`);
}
