import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PlannedProxy } from '../mesh/plan.ts';
import type { Connect, Order, Tally } from './orders.ts';
import { now } from './proxy.ts';

/** Nothing came for so long: the server is done. */
const QUIET_MS = 800;
const POLL_MS = 50;

export interface Counted extends Omit<Tally, 'kind'> {
  readonly timedOut: boolean;
}

/** All proxies of one run, in one or more processes of their own. */
export class Fleet {
  readonly #children: readonly ChildProcess[];
  readonly size: number;

  private constructor(children: readonly ChildProcess[], size: number) {
    this.#children = children;
    this.size = size;
  }

  /** Starts the processes; nothing connects yet. */
  static start(processes: number, size: number): Fleet {
    const children = Array.from({ length: processes }, () =>
      fork(join(import.meta.dirname, 'client.ts'), [], {
        execArgv: ['--disable-warning=ExperimentalWarning', '--max-old-space-size=8192'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    );
    return new Fleet(children, size);
  }

  async #tell(orders: (index: number) => Order): Promise<Counted> {
    const tallies = await Promise.all(
      this.#children.map(async (child, index) => {
        child.send(orders(index));
        const [tally]: Tally[] = await once(child, 'message');
        if (tally === undefined) throw new Error('a client said nothing');
        return tally;
      }),
    );
    return together(tallies);
  }

  connect(order: Omit<Connect, 'kind' | 'proxies'>, proxies: readonly PlannedProxy[]): Promise<Counted> {
    const each = Math.ceil(proxies.length / this.#children.length);
    const { tls } = order;
    return this.#tell((index) => {
      const [from, to] = [index * each, (index + 1) * each];
      return {
        ...order,
        kind: 'connect',
        proxies: proxies.slice(from, to),
        ...(tls !== undefined && { tls: { ...tls, certificates: tls.certificates.slice(from, to) } }),
      };
    });
  }

  expect(types: readonly string[], marker = ''): Promise<Counted> {
    return this.#tell(() => ({ kind: 'expect', types, marker }));
  }

  drop(): Promise<Counted> {
    return this.#tell(() => ({ kind: 'drop' }));
  }

  resume(withVersions: boolean): Promise<Counted> {
    return this.#tell(() => ({ kind: 'resume', withVersions }));
  }

  stick(count: number): Promise<Counted> {
    return this.#tell((index) => ({ kind: 'stick', count: index === 0 ? count : 0 }));
  }

  unstick(): Promise<Counted> {
    return this.#tell(() => ({ kind: 'unstick' }));
  }

  count(): Promise<Counted> {
    return this.#tell(() => ({ kind: 'count' }));
  }

  /** Waits until `done` and until then nothing comes for a while, or until the time is over. */
  async settle(done: (counted: Counted) => boolean, timeoutMs: number, busy?: () => number): Promise<Counted> {
    const began = now();
    let [used, usedAt] = [busy?.() ?? 0, began];
    for (;;) {
      const counted = await this.count();
      const at = now();
      const use = busy?.() ?? 0;
      // A server that works at something still, though it sends nothing yet, is not done either. What a profiler uses does not count.
      if (use - used > Math.max(0.02, ((at - usedAt) / 1000) * 0.15)) [used, usedAt] = [use, at];
      const quiet = at - Math.max(counted.lastByteAt, usedAt, began) > QUIET_MS;
      if (quiet && done(counted)) return counted;
      if (at - began > timeoutMs) return { ...counted, timedOut: true };
      await sleep(POLL_MS);
    }
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null) return;
        const gone = once(child, 'exit');
        child.disconnect();
        await gone;
      }),
    );
  }
}

function together(tallies: readonly Tally[]): Counted {
  const add = (key: 'bytes' | 'responses' | 'resources' | 'configured' | 'open' | 'waiting' | 'cpuSeconds'): number =>
    tallies.reduce((sum, tally) => sum + tally[key], 0);
  const last = (key: 'configuredAt' | 'seenAt' | 'lastByteAt'): number => Math.max(...tallies.map((tally) => tally[key]));
  const ended: Record<string, number> = {};
  for (const tally of tallies)
    for (const [reason, times] of Object.entries(tally.ended)) ended[reason] = (ended[reason] ?? 0) + times;
  return {
    bytes: add('bytes'),
    responses: add('responses'),
    resources: add('resources'),
    configured: add('configured'),
    open: add('open'),
    waiting: add('waiting'),
    cpuSeconds: add('cpuSeconds'),
    configuredAt: last('configuredAt'),
    seenAt: last('seenAt'),
    lastByteAt: last('lastByteAt'),
    ended,
    timedOut: false,
  };
}
