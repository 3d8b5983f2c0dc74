import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';

export interface ArchivedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const BLOCK = 512;
const PATH = /^(?!\/)(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._/-]{1,100}$/;
const LARGEST_FILE = 0o77777777777;

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

/** A header of POSIX ustar (IEEE 1003.1, pax, "ustar Interchange Format"): a plain file of mode 0644 that nobody owns. */
function header(path: string, size: number, seconds: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const put = (text: string, at: number): void => void block.write(text, at, 'latin1');
  put(path, 0);
  put(octal(0o644, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(size, 12), 124);
  put(octal(seconds, 12), 136);
  put(' '.repeat(8), 148);
  put('0', 156);
  put('ustar\u000000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** An archive in pieces: the same files and time give the same bytes. @throws RangeError for a path or size that ustar cannot hold */
export function* tarOf(files: readonly ArchivedFile[], time: Date): Generator<Uint8Array> {
  const seconds = Math.floor(time.getTime() / 1000);
  for (const { path, bytes } of files) {
    if (!PATH.test(path)) throw new RangeError(`no path for an archive: ${path}`);
    if (bytes.length > LARGEST_FILE) throw new RangeError(`${path} is too large for an archive`);
    yield header(path, bytes.length, seconds);
    yield bytes;
    yield Buffer.alloc(padding(bytes.length));
  }
  yield Buffer.alloc(2 * BLOCK);
}

/**
 * Takes an archive as `tarOf` makes it, and nothing else: every byte of it is either in a file or as it must be, so that no byte can be
 * changed without notice.
 */
export function readTar(archive: Buffer): Parsed<{ readonly files: readonly ArchivedFile[]; readonly seconds: number }> {
  const files: ArchivedFile[] = [];
  let seconds: number | undefined;
  let at = 0;
  const seen = new Set<string>();
  while (at + BLOCK <= archive.length && archive[at] !== 0) {
    const block = archive.subarray(at, at + BLOCK);
    const path = block.toString('latin1', 0, 100).replace(/\0+$/, '');
    const size = Number.parseInt(block.toString('latin1', 124, 135), 8);
    const time = Number.parseInt(block.toString('latin1', 136, 147), 8);
    if (
      !PATH.test(path) ||
      seen.has(path) ||
      !Number.isSafeInteger(size) ||
      !Number.isSafeInteger(time) ||
      (seconds ?? time) !== time
    )
      return refused(`the header at byte ${at} is none of a bundle's`);
    if (!header(path, size, time).equals(block)) return refused(`the header at byte ${at} is none of a bundle's`);
    const [start, end] = [at + BLOCK, at + BLOCK + size];
    if (end > archive.length) return refused(`it is cut off in ${path}`);
    const rest = archive.subarray(end, end + padding(size));
    if (rest.length !== padding(size) || rest.some((byte) => byte !== 0)) return refused(`what follows ${path} is not empty`);
    files.push({ path, bytes: archive.subarray(start, end) });
    seen.add(path);
    seconds = time;
    at = end + padding(size);
  }
  const tail = archive.subarray(at);
  if (seconds === undefined) return refused('it is no archive of a bundle');
  if (tail.length !== 2 * BLOCK || tail.some((byte) => byte !== 0))
    return refused('its end is not where it should be: it is cut off, or something was added');
  return parsed({ files, seconds });
}
