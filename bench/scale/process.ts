import { readdirSync, readFileSync } from 'node:fs';

/** CPU seconds of a process so far: all its living threads, to the nanosecond (Linux, proc_pid_schedstat). */
export function cpuSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${String(pid)}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${String(pid)}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // The thread ended between the two calls.
    }
  }
  return nanoseconds / 1e9;
}

function statusMb(pid: number, key: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
}

/** Resident memory now, in MB. */
export const rssMb = (pid: number): number => statusMb(pid, 'VmRSS');

/** The most that it ever was, in MB. */
export const peakRssMb = (pid: number): number => statusMb(pid, 'VmHWM');
