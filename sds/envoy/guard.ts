import { type ChildProcess, spawn } from 'node:child_process';
import { type ProcessIdentity, startTimeOf } from './process.ts';

/**
 * Reads one line for each change, the last of which lists the Envoys as PID/STARTTIME. When the agent dies without a
 * farewell, its end of the pipe closes: then the next agent has $2 seconds to write its own process id beside theirs.
 */
const SCRIPT = `
last=
while read -r line; do last=$line; done
[ "$last" = end ] && exit 0
sleep "$2"
for entry in $last; do
  pid=\${entry%%/*}
  start=\${entry#*/}
  owner=$(cat "$1"/*.envoy 2>/dev/null | sed -n "s/^$pid $start \\([0-9]*\\) .*/\\1/p")
  [ -n "$owner" ] && [ "$owner" != "$3" ] && continue
  found=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 20)
  [ "$found" = "$start" ] && kill -TERM "$pid"
done
exit 0
`;

/**
 * Ends the Envoys of an agent that was killed and that no other agent takes over in time. A process of its own, since the
 * agent cannot do anything any more then: a shell that waits at a pipe.
 */
export class Guard {
  readonly #shell: ChildProcess;
  readonly #envoys = new Map<number, string>();

  constructor(runDir: string, takeoverSeconds: number) {
    const args = ['-c', SCRIPT, 'gatehouse-guard', runDir, String(takeoverSeconds), String(process.pid)];
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
    this.#shell = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env });
    // Without a guard the Envoys are served all the same.
    this.#shell.on('error', () => {});
    this.#shell.stdin?.on('error', () => {});
    this.#shell.unref();
  }

  /** To be called for each Envoy that runs from now on. Returns which process that is, where it can be told. */
  watch(pid: number): ProcessIdentity | undefined {
    const startTime = startTimeOf(pid);
    if (startTime === undefined) return undefined;
    this.#envoys.set(pid, startTime);
    this.#tell();
    return { pid, startTime };
  }

  forget(pid: number): void {
    if (this.#envoys.delete(pid)) this.#tell();
  }

  /** The agent ends in order: all Envoys are gone. */
  end(): void {
    this.#shell.stdin?.end('end\n');
  }

  #tell(): void {
    this.#shell.stdin?.write(`${[...this.#envoys].map((entry) => entry.join('/')).join(' ')}\n`);
  }
}
