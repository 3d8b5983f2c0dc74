import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Logger } from 'pino';
import type { Waiting } from './queue.ts';
import { messageBytes, messageOf } from './wire.ts';

const NAME = /^([\w-]{16,64})\.(\d{1,15})\.log$/;
/** Length and CRC-32 of the message that follows. */
const HEAD = 8;
const FILE_BYTES = 1024 * 1024;
/** What is all acknowledged is begun anew above this, so that the next agent has little to send again. */
const RENEW_BYTES = 64 * 1024;

interface File {
  readonly path: string;
  last: number;
  size: number;
}

/**
 * Files in which a queue is written down as it grows, so that it outlives a kill of the agent (not of the machine: nothing is synchronised
 * with the disk). A file goes when all that is in it was acknowledged. Whatever cannot be written is in memory all the same.
 */
export class Spool {
  readonly #folder: string;
  readonly #source: string;
  readonly #log: Logger;
  readonly #files: File[] = [];
  #open: number | undefined;
  #broken = false;

  constructor(folder: string, source: string, log: Logger) {
    this.#folder = folder;
    this.#source = source;
    this.#log = log;
  }

  append(waiting: Waiting): void {
    if (this.#broken) return;
    try {
      const body = messageBytes(waiting);
      const bytes = Buffer.alloc(HEAD + body.length);
      bytes.writeUInt32LE(body.length, 0);
      bytes.writeUInt32LE(crc32(body), 4);
      bytes.set(body, HEAD);
      const file = this.#fileFor(waiting.sequence);
      if (writeSync(this.#open ?? -1, bytes) !== bytes.length) throw new Error('the file took only a part');
      file.last = waiting.sequence;
      file.size += bytes.length;
    } catch (error) {
      this.#broken = true;
      this.#log.warn(
        { error: String(error) },
        'the access log is kept in memory only: a kill of the agent would lose what waits',
      );
    }
  }

  forget(stored: number, all: boolean): void {
    while (this.#files.length > 1 && (this.#files[0]?.last ?? Infinity) <= stored) remove(this.#files.shift());
    const [only] = this.#files;
    if (all && only !== undefined && only.size > RENEW_BYTES && this.#files.length === 1) this.#removeAll();
  }

  /** Whether what is left is all in files. */
  close(empty: boolean): boolean {
    if (empty) this.#removeAll();
    else if (this.#open !== undefined) closeSync(this.#open);
    this.#open = undefined;
    return !this.#broken;
  }

  #fileFor(sequence: number): File {
    const current = this.#files.at(-1);
    if (this.#open !== undefined && current !== undefined && current.size < FILE_BYTES) return current;
    if (this.#open !== undefined) closeSync(this.#open);
    this.#open = undefined;
    const path = join(this.#folder, `${this.#source}.${sequence}.log`);
    const { O_CREAT, O_EXCL, O_WRONLY, O_APPEND, O_NOFOLLOW } = constants;
    this.#open = openSync(path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_NOFOLLOW, 0o600);
    const file = { path, last: 0, size: 0 };
    this.#files.push(file);
    return file;
  }

  #removeAll(): void {
    if (this.#open !== undefined) closeSync(this.#open);
    this.#open = undefined;
    for (const file of this.#files.splice(0)) remove(file);
  }
}

function remove(file: File | undefined): void {
  if (file !== undefined) rmSync(file.path, { force: true });
}

/** What agents before this one left in a folder, for each queue. Files that hold nothing are removed. */
export interface LeftBehind {
  readonly source: string;
  readonly left: readonly Waiting[];
  /** To be called when all of it is in the store. */
  readonly remove: () => void;
}

/** Makes the folder, and reads what is in it. */
export function readSpool(folder: string, log: Logger): readonly LeftBehind[] {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const sources = new Map<string, { first: number; path: string }[]>();
  for (const name of readdirSync(folder)) {
    const [, source, first] = NAME.exec(name) ?? [];
    if (source === undefined) continue;
    sources.set(source, [...(sources.get(source) ?? []), { first: Number(first), path: join(folder, name) }]);
  }
  return [...sources].flatMap(([source, files]) => {
    const remove = (): void => files.forEach(({ path }) => rmSync(path, { force: true }));
    // A count that grew stands there several times; the last is right.
    const found = new Map<number, Waiting>();
    for (const { path } of files.sort((one, other) => one.first - other.first))
      for (const waiting of readMessages(path, log)) found.set(waiting.sequence, waiting);
    if (found.size > 0) return [{ source, left: [...found.values()].sort((a, b) => a.sequence - b.sequence), remove }];
    remove();
    return [];
  });
}

/** Up to where the file is whole: the last message may have been cut off. */
function readMessages(path: string, log: Logger): readonly Waiting[] {
  const messages: Waiting[] = [];
  const bytes = readFileSync(path);
  for (let at = 0; at + HEAD <= bytes.length;) {
    const [length, sum] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    const body = bytes.subarray(at + HEAD, at + HEAD + length);
    if (body.length !== length || crc32(body) !== sum) {
      log.warn({ path }, 'the end of a kept access log is damaged');
      break;
    }
    messages.push(messageOf(Uint8Array.from(body)));
    at += HEAD + length;
  }
  return messages;
}
