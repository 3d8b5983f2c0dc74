import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../../eventually.ts';

export interface Envoy {
  /** Port of a listener by name. */
  port(listener: string): number;
  stop(): Promise<void>;
}

/** The Envoy to test with; undefined when this machine has none. */
export function envoyPath(): string | undefined {
  const path = process.env['GATEHOUSE_ENVOY'];
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** The Envoy that a test needs: without one the test is skipped, except where the repository's own set-up brings it (CI). */
export function envoyOrSkip(test: Mocha.Context): string {
  const path = envoyPath();
  if (path !== undefined) return path;
  if (process.env['CI'] !== undefined) throw new Error('GATEHOUSE_ENVOY names no Envoy');
  return test.skip();
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

interface Listeners {
  readonly listener_statuses?: readonly {
    readonly name: string;
    readonly local_address: { readonly socket_address: { readonly port_value: number } };
  }[];
}

/** Starts Envoy with a bootstrap in a folder and waits until its listeners are bound. */
export async function startEnvoy(path: string, config: object, folder: string): Promise<Envoy> {
  const file = join(folder, 'envoy.json');
  const adminFile = join(folder, 'admin.txt');
  writeFileSync(file, JSON.stringify(config));
  const args = ['-c', file, '--admin-address-path', adminFile, '--concurrency', '1', '--use-dynamic-base-id', '-l', 'warning'];
  const child = spawn(path, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  try {
    const ports = await eventually('Envoy is live', async () => {
      if (child.exitCode !== null) throw new Error(`Envoy ended: ${errors}`);
      if (!existsSync(adminFile)) return undefined;
      const answer = await fetch(`http://${readFileSync(adminFile, 'utf8')}/listeners?format=json`).catch(() => undefined);
      if (!answer) return undefined;
      const { listener_statuses: listeners } = (await answer.json()) as Listeners;
      if (!listeners?.every(({ local_address: at }) => at.socket_address.port_value > 0)) return undefined;
      return new Map(listeners.map(({ name, local_address: at }) => [name, at.socket_address.port_value]));
    });
    return {
      port: (listener) => {
        const port = ports.get(listener);
        if (port === undefined) throw new Error(`no listener ${listener}`);
        return port;
      },
      stop: () => stop(child),
    };
  } catch (error) {
    await stop(child);
    throw error;
  }
}
