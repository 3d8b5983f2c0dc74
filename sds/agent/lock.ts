import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, startTimeOf } from '../envoy/process.ts';

/**
 * Marks a run directory as ours. Throws when another living agent has it: two would end each other's Envoys. Returns the
 * function that gives it back.
 */
export function lockRunDir(runDir: string): () => void {
  const path = join(runDir, 'agent.lock');
  const holder = read(path);
  if (holder !== undefined && holder.pid !== process.pid && isRunning(holder))
    throw new Error(`${runDir} is in use by another agent, process ${holder.pid} (stop that one, or choose another runDir)`);
  rmSync(path, { force: true });
  try {
    writeFileSync(path, `${process.pid} ${startTimeOf(process.pid) ?? '-'}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    // Identities need no disk. What is left against a second agent then is that its sockets are refused.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  }
  return () => rmSync(path, { force: true });
}

function read(path: string): { readonly pid: number; readonly startTime: string } | undefined {
  try {
    const [, pid, startTime] = /^(\d+) (\d+)\n$/.exec(readFileSync(path, 'utf8')) ?? [];
    return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime };
  } catch {
    return undefined;
  }
}
