import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A server that is measured, and the folder that it reads. */
export interface Target {
  readonly name: string;
  /** Where it serves ADS in plain text. */
  readonly address: string;
  readonly folder: string;
  readonly pid: number;
  /** Undefined where it is not ours: no metrics of ours, no trust bundle over ADS. */
  readonly gatehouse: { readonly http: string; readonly grpc: string; readonly rootCert: string } | undefined;
  /** Seconds from its start until it was ready; undefined where it ran already. */
  readonly readyAfter: number | undefined;
  close(): Promise<void>;
}

interface Ready {
  readonly plaintextXds: string;
  readonly grpc: string;
  readonly http: string;
  readonly rootCert: string;
}

const START_MS = 600_000;

/**
 * `gatehouse serve` in a process of its own, with its files in `dir`.
 * @param more of its own flags
 */
export async function startGatehouse(
  folder: string,
  dir: string,
  nodeFlags: readonly string[] = [],
  more: readonly string[] = [],
): Promise<Target> {
  mkdirSync(dir, { recursive: true });
  const began = performance.now();
  const args = ['serve', '-f', folder, '--ca-dir', join(dir, 'ca'), '--audit-db', join(dir, 'audit.db'), ...more];
  for (const flag of ['--grpc-address', '--http-address', '--plaintext-xds']) args.push(flag, '127.0.0.1:0');
  const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...nodeFlags, main, ...args], {
    stdio: ['ignore', 'pipe', openSync(join(dir, 'server.log'), 'w')],
  });
  if (child.stdout === null) throw new Error('gatehouse serve has no standard output');
  const stop = (): void => void child.kill('SIGKILL');
  process.once('exit', stop);
  const lines = createInterface({ input: child.stdout });
  const line: string = await Promise.race([
    once(lines, 'line').then((line: readonly unknown[]) => String(line[0])),
    once(child, 'exit').then((ended: readonly unknown[]): never => {
      throw new Error(
        `gatehouse serve ended with ${String(ended[0])}:\n${readFileSync(join(dir, 'server.log'), 'utf8').slice(-2000)}`,
      );
    }),
    new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('gatehouse serve was not ready in time')), START_MS).unref();
    }),
  ]);
  const { plaintextXds, grpc, http, rootCert }: Ready = JSON.parse(line);
  return {
    name: 'gatehouse',
    address: plaintextXds,
    folder,
    pid: child.pid ?? 0,
    gatehouse: { http, grpc, rootCert },
    readyAfter: (performance.now() - began) / 1000,
    async close() {
      process.off('exit', stop);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(stop, 20_000);
      await gone;
      clearTimeout(late);
    },
  };
}
