import { mkdirSync, openSync, closeSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const NAME = '.gatehouse.lock';
/** A lock this old whose owner cannot be told was left by a crash. */
const STALE_MS = 30_000;

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    // EPERM: there is such a process, of another user.
    return typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'EPERM';
  }
}

function isStale(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (Number.isInteger(pid) && pid > 0) return !alive(pid);
    return Date.now() - statSync(file).mtimeMs > STALE_MS;
  } catch {
    return false;
  }
}

/**
 * Runs `work` while no other gatehouse command changes the folder, which is made if need be.
 * @returns undefined when the lock could not be had in time
 */
export async function withLock<T>(folder: string, waitMs: number, work: () => T): Promise<{ readonly value: T } | undefined> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, NAME);
  const end = Date.now() + waitMs;
  for (;;) {
    let handle: number | undefined;
    try {
      handle = openSync(file, 'wx', 0o600);
    } catch (cause) {
      if (!(typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'EEXIST')) throw cause;
      if (isStale(file)) rmSync(file, { force: true });
      else if (Date.now() > end) return undefined;
      else await pause(25);
      continue;
    }
    try {
      writeSync(handle, String(process.pid));
      return { value: work() };
    } finally {
      closeSync(handle);
      rmSync(file, { force: true });
    }
  }
}
