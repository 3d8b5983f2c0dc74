import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same number: its id and when it began, in clock ticks since boot. */
export interface ProcessId {
  readonly pid: number;
  readonly startedAt: string;
}

/** When a process began (proc(5), /proc/PID/stat field 22); empty where it is gone or there is no /proc. */
export function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name, field 2, stands in parentheses and may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

export function processId(pid: number): ProcessId {
  return { pid, startedAt: startOf(pid) };
}

export function isAlive(process_: ProcessId): boolean {
  try {
    process.kill(process_.pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return startOf(process_.pid) === process_.startedAt;
}
