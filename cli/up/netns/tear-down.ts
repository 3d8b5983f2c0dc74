import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.ts';

export const NAMES = '/etc/netns';

/** The network namespaces of a bridge number. */
export async function namespacesOf(number: number): Promise<readonly string[]> {
  const { stdout } = await run('ip', ['netns', 'list']);
  return stdout
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => new RegExp(`^gh${number}-\\d+$`).test(name));
}

/** Ends whatever still runs in a network namespace, and removes it. */
export async function removeNamespace(name: string): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'pids', name]);
  for (const pid of stdout.split('\n').map(Number)) {
    if (!(pid > 1) || pid === process.pid) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  await run('ip', ['netns', 'del', name]);
  rmSync(join(NAMES, name), { recursive: true, force: true });
}

/** Removes a bridge with all its namespaces. */
export async function tearDown(number: number): Promise<void> {
  for (const name of await namespacesOf(number)) await removeNamespace(name);
  await run('ip', ['link', 'del', `gh${number}`]);
}
