import { constants, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeAtomically } from '../../root/atomic.ts';
import { type LogFiles, logFilesAt } from '../files.ts';
import { parseVerifierKey } from '../note.ts';
import { type FollowedLog, originOf } from './source.ts';

/** Where copies of other replicas' logs are, in an authority's folder. */
function copiesFolder(dir: string): string {
  return join(dir, 'replicas');
}

const KEY_FILE = 'verifier-key';

export interface KeptCopy {
  readonly origin: string;
  readonly verifierKey: string;
  readonly files: LogFiles;
}

/** The copies in an authority's folder, in the order of their names. */
export async function copiesIn(dir: string): Promise<readonly KeptCopy[]> {
  const folder = copiesFolder(dir);
  if (!existsSync(folder)) return [];
  const copies: KeptCopy[] = [];
  for (const origin of (await readdir(folder)).toSorted()) {
    const path = join(folder, origin, KEY_FILE);
    if (!/^[0-9a-f]{16}$/.test(origin) || !existsSync(path)) continue;
    const verifierKey = (await readFile(path, 'utf8')).trim();
    const files = logFilesAt(join(folder, origin, 'issuance.jsonl'));
    if (existsSync(files.records)) copies.push({ origin, verifierKey, files });
  }
  return copies;
}

/** A copy of another replica's log: its lines as they are, and its checkpoints, which only that one can sign. */
export class LogCopy implements FollowedLog {
  readonly own = false;
  readonly verifierKey: string;
  readonly files: LogFiles;
  readonly #listeners = new Set<() => void>();
  readonly #records: FileHandle;
  readonly #checkpoints: FileHandle;
  #bytes: number;
  #checkpointBytes: number;

  private constructor(
    verifierKey: string,
    files: LogFiles,
    records: FileHandle,
    checkpoints: FileHandle,
    sizes: [number, number],
  ) {
    this.verifierKey = verifierKey;
    this.files = files;
    this.#records = records;
    this.#checkpoints = checkpoints;
    [this.#bytes, this.#checkpointBytes] = sizes;
  }

  /** Opens the copy, or begins one. What a crash tore is cut off and asked for again. @throws Error for what is no verifier key */
  static async open(dir: string, verifierKey: string): Promise<LogCopy> {
    if (!parseVerifierKey(verifierKey).ok) throw new Error('another replica gives a key of its log that is none');
    const folder = join(copiesFolder(dir), originOf(verifierKey));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await syncFolder(copiesFolder(dir));
    if (!existsSync(join(folder, KEY_FILE))) await writeAtomically(join(folder, KEY_FILE), `${verifierKey}\n`, 0o644);
    const files = logFilesAt(join(folder, 'issuance.jsonl'));
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    const records = await open(files.records, flags, 0o600);
    const checkpoints = await open(files.checkpoints, flags, 0o644);
    const sizes: [number, number] = [await wholeLines(records), (await checkpoints.stat()).size];
    await syncFolder(folder);
    return new LogCopy(verifierKey, files, records, checkpoints, sizes);
  }

  bytes(): number {
    return this.#bytes;
  }

  checkpointBytes(): number {
    return this.#checkpointBytes;
  }

  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** On disk once it resolves. @throws Error for what does not follow what is there */
  async append(at: number, records: Uint8Array, checkpointsAt: number, checkpoints: Uint8Array): Promise<void> {
    if (records.length > 0) {
      if (at !== this.#bytes || records.at(-1) !== 0x0a) throw new Error('what came does not follow what is there');
      await writeFully(this.#records, records, at);
      await this.#records.datasync();
      this.#bytes += records.length;
    }
    if (checkpoints.length > 0) {
      if (checkpointsAt !== this.#checkpointBytes)
        throw new Error('the checkpoints that came do not follow those that are there');
      await writeFully(this.#checkpoints, checkpoints, checkpointsAt);
      await this.#checkpoints.datasync();
      this.#checkpointBytes += checkpoints.length;
    }
    for (const listener of this.#listeners) listener();
  }

  async close(): Promise<void> {
    await this.#records.close();
    await this.#checkpoints.close();
  }
}

/** The length up to the last line's end; the rest is cut off. */
async function wholeLines(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(64 * 1024);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - buffer.length);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    const last = buffer.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (last >= 0) {
      if (start + last + 1 < size) await file.truncate(start + last + 1);
      return start + last + 1;
    }
    end = start;
  }
  if (size > 0) await file.truncate(0);
  return 0;
}

async function writeFully(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}
