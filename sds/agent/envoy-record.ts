import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from '../envoy/command.ts';
import { isRunning, killProcess, type ProcessIdentity } from '../envoy/process.ts';

const SUFFIX = '.envoy';

/**
 * The record of a running Envoy, `runDir/NAMESPACE.POD.envoy`: `PID STARTTIME AGENT FINGERPRINT`. It lets the next agent
 * take over an Envoy that runs exactly what it would start itself. In runDir, where only the agent can write.
 */
export class EnvoyRecord {
  readonly #path: string;
  readonly #fingerprint: string;

  constructor(directory: string, command: Command, bootstrap: string) {
    this.#path = `${directory}${SUFFIX}`;
    this.#fingerprint = createHash('sha256')
      .update(JSON.stringify([command, bootstrap]))
      .digest('hex');
  }

  /** The Envoy that an agent before us left running with this very command and bootstrap. Any other one is told to end. */
  leftover(): ProcessIdentity | undefined {
    const found = read(this.#path);
    if (found === undefined || !isRunning(found)) return undefined;
    if (found.fingerprint === this.#fingerprint) return found;
    killProcess(found, 'SIGTERM');
    return undefined;
  }

  write({ pid, startTime }: ProcessIdentity): void {
    try {
      writeFileSync(this.#path, `${pid} ${startTime} ${process.pid} ${this.#fingerprint}\n`, { mode: 0o600 });
    } catch {
      // A full disk, say: this Envoy cannot be taken over, and nothing else is lost.
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

/** Ends the Envoys of an earlier agent whose workloads (`NAMESPACE.POD`) are none of this one's. */
export async function endStrays(runDir: string, workloads: ReadonlySet<string>): Promise<void> {
  for (const file of await readdir(runDir)) {
    if (!file.endsWith(SUFFIX) || workloads.has(file.slice(0, -SUFFIX.length))) continue;
    const found = read(join(runDir, file));
    if (found !== undefined) killProcess(found, 'SIGTERM');
    rmSync(join(runDir, file), { force: true });
  }
}

function read(path: string): (ProcessIdentity & { readonly fingerprint: string }) | undefined {
  try {
    const match = /^(\d+) (\d+) \d+ ([0-9a-f]{64})\n$/.exec(readFileSync(path, 'utf8'));
    const [, pid = '', startTime = '', fingerprint = ''] = match ?? [];
    return match === null ? undefined : { pid: Number(pid), startTime, fingerprint };
  } catch {
    return undefined;
  }
}
