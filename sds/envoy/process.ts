import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Timers } from '../clock.ts';
import type { Command } from './command.ts';

/** Which process is meant, beyond doubt: process ids are used again, together with the start time they are not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, as the kernel counts them (proc(5), /proc/PID/stat, field 22). */
  readonly startTime: string;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of its standard error, where it was ours to read. */
  readonly words: string;
}

/** A process, whether we started it or took it over. */
export interface RunningProcess {
  readonly pid: number | undefined;
  readonly ended: Promise<ProcessEnd>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

const WORDS_KEPT = 4096;
const LOOK_EVERY_MS = 200;

/** When a process was started; undefined when it is gone (or a zombie), or where there is no /proc. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, also parentheses; the state is the first field after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function isRunning(process: ProcessIdentity): boolean {
  return startTimeOf(process.pid) === process.startTime;
}

/**
 * Starts a process in a session of its own: a Ctrl-C at the terminal is for the agent, which then takes leave of its
 * Envoys in order.
 */
export function spawnProcess(command: Command): RunningProcess {
  // The environment is not passed on: it may hold what is meant for the agent only.
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
  const told = command.foreground === true ? 'inherit' : 'pipe';
  const child = spawn(command.file, command.args, { stdio: ['ignore', 'ignore', told], env, detached: true });
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-WORDS_KEPT);
  });
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, words: error.message }));
    child.once('close', (code, signal) => resolve({ code, signal, words }));
  });
  return { pid: child.pid, ended, kill: (signal) => void child.kill(signal) };
}

/** A process that an agent before us started. It is no child of ours, so that its end has to be looked for. */
export function adoptProcess(identity: ProcessIdentity, timers: Timers): RunningProcess {
  const ended = new Promise<ProcessEnd>((resolve) => {
    const look = () => {
      if (isRunning(identity)) timers.after(LOOK_EVERY_MS, look);
      else resolve({ code: null, signal: null, words: '' });
    };
    look();
  });
  return { pid: identity.pid, ended, kill: (signal) => killProcess(identity, signal) };
}

export function killProcess(identity: ProcessIdentity, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    if (isRunning(identity)) process.kill(identity.pid, signal);
  } catch {
    // It ended in between.
  }
}
