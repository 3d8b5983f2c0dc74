import { constants, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Logger } from 'pino';
import { logFilesAt } from './files.ts';
import type { FollowedLog } from './gather/source.ts';
import { loadOrCreateLogKey } from './log-key.ts';
import { type NoteSigner, verifierKey } from './note.ts';
import { type LogRecord, toLine } from './record.ts';
import { findTail } from './recover.ts';
import { type LogTree, openTree } from './tree-file.ts';

/** The append-only record of everything the authority did. */
export interface IssuanceLog {
  /** Resolves once the record is on disk (fdatasync); rejects when it is not, and then nothing may be issued on it. */
  commit(record: LogRecord): Promise<void>;
  /** Writes at once, and is on disk with the next committed record; a failure is logged only. */
  note(record: LogRecord): void;
  close(): Promise<void>;
}

export interface OpenIssuanceLog extends IssuanceLog {
  /** The log as other replicas may follow it. */
  readonly followed: FollowedLog;
  /** Its newest checkpoint; empty while there is none. */
  readonly checkpoint: () => string;
}

export interface IssuanceLogOptions {
  /** A checkpoint after so many records, and so often in milliseconds while there are new ones. */
  readonly checkpoint?: { readonly records: number; readonly everyMs: number };
  /** Whether the first records have a checkpoint at once: where others keep copies, and this replica may be lost before the time for one has come. */
  readonly firstAtOnce?: boolean;
  readonly every?: (ms: number, task: () => void) => () => void;
}

const CHECKPOINT = Object.freeze({ records: 4096, everyMs: 10_000 });

interface Waiting {
  /** Whether it must be on disk before `done`. */
  readonly durable: boolean;
  readonly line: string;
  readonly done: (error?: Error) => void;
}

const systemEvery = (ms: number, task: () => void): (() => void) => {
  const timer = setInterval(task, ms);
  timer.unref();
  return () => clearInterval(timer);
};

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/**
 * Opens the log, setting a torn end aside into PATH.torn first. Records that arrive while a batch is being written make up the
 * next one: one write and at most one fdatasync for all of them. A batch that fails (disk full) is cut off again. Records are hashed into
 * the tree while the disk works, and checkpoints are written beside the batches, so that no caller waits for either.
 */
export async function openIssuanceLog(path: string, log: Logger, options: IssuanceLogOptions = {}): Promise<OpenIssuanceLog> {
  const { checkpoint = CHECKPOINT, firstAtOnce = false, every = systemEvery } = options;
  const files = logFilesAt(path);
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  let length: number;
  let tree: LogTree;
  let signer: NoteSigner;
  try {
    length = await repaired(file, path, log);
    await file.datasync();
    signer = await loadOrCreateLogKey(files);
    tree = await openTree(files, file, length, signer);
  } catch (error) {
    await file.close();
    throw error;
  }
  // What a power cut leaves: notes that no committed record came after are not in it.
  let synced = length;
  const listeners = new Set<() => void>();
  const grown = (): void => {
    for (const listener of listeners) listener();
  };
  let waiting: Waiting[] = [];
  let running: Promise<void> | undefined;
  // Whether a failed batch may have left bytes after `length`; then they are cut off before the next one, or at the next start.
  let dirty = false;

  let sealing: Promise<void> | undefined;
  const sealNow = async (): Promise<void> => {
    try {
      // What the tree holds now is in the file; a checkpoint must not swear to what a power cut could take.
      const sealed = await tree.seal(async () => {
        const end = length;
        await file.datasync();
        synced = Math.max(synced, end);
      });
      if (sealed !== undefined) log.info({ checkpoint: sealed }, 'checkpoint of the issuance log');
      if (sealed !== undefined) grown();
    } catch (error) {
      log.error({ path: files.checkpoints, error: asError(error).message }, 'no checkpoint could be written; it is tried again');
    }
    sealing = undefined;
  };
  const seal = (): Promise<void> => (sealing ??= sealNow());
  const stopSealing = every(checkpoint.everyMs, () => void seal());

  const writeBatch = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const bytes = Buffer.from(batch.map(({ line }) => line).join(''));
      if (dirty) await file.truncate(length);
      dirty = true;
      // To the page cache, which takes microseconds; waiting for the disk is what must not block.
      for (let at = 0; at < bytes.length;) at += writeSync(file.fd, bytes, at, bytes.length - at, length + at);
      const syncing = batch.some(({ durable }) => durable) ? file.datasync() : undefined;
      const keep = tree.add(batch.map(({ line }) => line.slice(0, -1)));
      await syncing;
      keep(bytes.length);
      length += bytes.length;
      dirty = false;
      if (syncing !== undefined) {
        synced = length;
        grown();
      }
      for (const { done } of batch) done();
      if (tree.unsealed() >= checkpoint.records || (firstAtOnce && tree.checkpointBytes() === 0)) void seal();
    } catch (error) {
      log.error(
        { path, error: asError(error).message, records: batch.length },
        'the issuance log cannot be written; nothing is issued until it can',
      );
      await file.truncate(length).then(
        () => (dirty = false),
        () => undefined,
      );
      for (const { done } of batch) done(asError(error));
    }
  };
  const drain = async (): Promise<void> => {
    // Let everything of this turn of the event loop join the batch.
    await new Promise(setImmediate);
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await writeBatch(batch);
    }
    running = undefined;
  };
  const add = (entry: Waiting) => {
    waiting.push(entry);
    running ??= drain();
  };
  return {
    commit: (record) =>
      new Promise((resolve, reject) => {
        add({ durable: true, line: toLine(record), done: (error) => (error === undefined ? resolve() : reject(error)) });
      }),
    checkpoint: () => tree.checkpoint(),
    followed: {
      verifierKey: verifierKey(signer),
      files,
      own: true,
      bytes: () => synced,
      checkpointBytes: () => tree.checkpointBytes(),
      onGrowth(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    note: (record) => add({ durable: false, line: toLine(record), done: () => undefined }),
    async close() {
      stopSealing();
      await running;
      await sealing;
      await seal();
      await file.datasync().catch(() => undefined);
      await tree.close();
      await file.close();
    },
  };
}

async function repaired(file: FileHandle, path: string, log: Logger): Promise<number> {
  const tail = await findTail(file);
  if (tail === undefined) throw new Error(`${path} is no issuance log: no record near its end; move it away to start a new one`);
  if (tail.torn.length === 0) return tail.good;
  const aside = await open(`${path}.torn`, 'a', 0o600);
  try {
    await aside.appendFile(Buffer.concat([tail.torn, Buffer.from('\n')]));
    await aside.sync();
  } finally {
    await aside.close();
  }
  await file.truncate(tail.good);
  await file.sync();
  log.warn(
    { path, bytes: tail.torn.length, aside: `${path}.torn` },
    'the issuance log ended in a torn record (a crash while writing); it was set aside',
  );
  return tail.good;
}
