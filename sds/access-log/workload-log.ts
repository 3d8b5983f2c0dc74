import { randomUUID } from 'node:crypto';
import { rmdir } from 'node:fs/promises';
import type { Server } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Budget } from './budget.ts';
import { Forwarder, type ForwarderOptions } from './forwarder.ts';
import { LogQueue, type QueueStats } from './queue.ts';
import { addLogReceiver } from './receiver.ts';
import { readSpool, Spool } from './spool.ts';

export interface WorkloadLogOptions extends Omit<ForwarderOptions, 'queues'> {
  readonly budget: Budget;
  readonly limitBytes: number;
  /** Where queues are written down; the agent's own. */
  readonly folder: string;
  readonly now: () => number;
  readonly log: Logger;
}

interface Old {
  readonly queue: LogQueue;
  readonly remove: () => void;
}

/** The access log of one workload's Envoy: taken from it, kept, handed to the control plane. */
export class WorkloadLog {
  readonly #options: WorkloadLogOptions;
  readonly #forwarder: Forwarder;
  readonly #queue: LogQueue;
  #old: readonly Old[];

  constructor(options: WorkloadLogOptions) {
    const { folder, limitBytes, budget, now, log } = options;
    this.#options = options;
    const source = randomUUID();
    const spool = this.#spoolFolder();
    this.#old = (spool ?? []).map(({ source: of, left, remove }) => ({
      queue: new LogQueue({ source: of, left, limitBytes, budget, spool: undefined, now }),
      remove,
    }));
    this.#queue = new LogQueue({
      source,
      limitBytes,
      budget,
      spool: spool === undefined ? undefined : new Spool(folder, source, log),
      now,
    });
    this.#forwarder = new Forwarder({ ...options, queues: () => this.#queues() });
    if (this.#old.length > 0) this.#forwarder.wake();
  }

  /** With what agents before this one left. */
  get stats(): QueueStats {
    const all = this.#queues().map(({ stats }) => stats);
    const sum = (of: keyof QueueStats): number => all.reduce((total, stats) => total + stats[of], 0);
    return { messages: sum('messages'), bytes: sum('bytes'), lost: sum('lost') };
  }

  addTo(server: Server): void {
    addLogReceiver(server, (nodeId, logName, message) => {
      this.#queue.push(nodeId, logName, message);
      this.#forwarder.wake();
    });
  }

  /** Hands over what there is, within a while; the rest stays in its files for the next agent. */
  async stop(patienceMs: number): Promise<void> {
    await this.#forwarder.stop(patienceMs);
    const lost = this.#queue.close();
    // Not while there is something in it.
    await rmdir(this.#options.folder).catch(() => {});
    if (lost > 0)
      this.#options.log.error({ records: lost }, 'the access log could not be handed over or written down; records are lost');
  }

  #queues(): readonly LogQueue[] {
    const done = this.#old.filter(({ queue }) => queue.isEmpty);
    if (done.length > 0) {
      for (const { remove } of done) remove();
      this.#old = this.#old.filter(({ queue }) => !queue.isEmpty);
    }
    return [...this.#old.map(({ queue }) => queue), this.#queue];
  }

  #spoolFolder(): ReturnType<typeof readSpool> | undefined {
    const { folder, log } = this.#options;
    try {
      return readSpool(folder, log);
    } catch (error) {
      log.warn({ error: String(error) }, 'the access log is kept in memory only: its folder cannot be used');
      return undefined;
    }
  }
}
