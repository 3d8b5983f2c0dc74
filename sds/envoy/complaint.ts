import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const LOOKED_AT = 16 * 1024;
const LONGEST = 1000;

/** The last error in an Envoy's log: why it ended, as far as it knew. */
export function lastComplaint(logPath: string): string {
  const errors = tail(logPath)
    .split('\n')
    .filter((line) => /\]\[(critical|error)\]/.test(line));
  return errors.at(-1)?.slice(0, LONGEST) ?? `see ${logPath}`;
}

function tail(path: string): string {
  try {
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      const bytes = Buffer.alloc(Math.min(size, LOOKED_AT));
      readSync(file, bytes, 0, bytes.length, size - bytes.length);
      return bytes.toString();
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
