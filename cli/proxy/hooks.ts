import { Command } from 'commander';
import { request } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { portOrZero } from '../agent/pod-options.ts';
import { fail } from './fail.ts';

const LIMIT_MS = 5000;
const LOOK_EVERY_MS = 250;

/** Calls this pod's agent; undefined: it does not answer. */
function call(port: number, method: 'GET' | 'POST', path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, method, path, timeout: LIMIT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}

interface Flags {
  readonly statusPort: number;
  readonly timeout: number;
}

function hook(name: string, description: string): Command {
  return new Command(name).description(description).option('--status-port <port>', "of the pod's agent", portOrZero, 15_020);
}

/** `gatehouse proxy drain`: the proxy of this pod tells its callers to go elsewhere, and goes on serving. */
export function drainCommand(): Command {
  return hook('drain', "let this pod's proxy tell its callers to go elsewhere; for the hook before its end")
    .addHelpText('after', '\nExample:\n  gatehouse proxy drain --status-port 15020')
    .action(async ({ statusPort }: Flags) => {
      const status = await call(statusPort, 'POST', '/drain');
      if (status !== 200) fail('drain', 1, `the agent at port ${statusPort} answers ${status ?? 'nothing'}`);
    });
}

/** `gatehouse proxy wait`: until the proxy of this pod has its configuration. */
export function waitCommand(): Command {
  return hook('wait', "wait until this pod's proxy has its configuration; for the hook after its start")
    .option('--timeout <seconds>', 'give up after', (text) => Number(text), 60)
    .addHelpText('after', '\nExample:\n  gatehouse proxy wait --timeout 60')
    .action(async ({ statusPort, timeout }: Flags) => {
      if (!(timeout > 0)) {
        fail('wait', 2, '--timeout is to be a number of seconds');
        return;
      }
      const end = performance.now() + timeout * 1000;
      while ((await call(statusPort, 'GET', '/healthz/ready')) !== 200) {
        if (performance.now() > end) {
          fail('wait', 1, `the proxy was not ready within ${timeout} s`);
          return;
        }
        await after(LOOK_EVERY_MS);
      }
    });
}
