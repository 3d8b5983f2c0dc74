import { execFile } from 'node:child_process';

export interface Outcome {
  readonly ok: boolean;
  readonly stdout: string;
  /** What failed, with the command's own words. */
  readonly reason: string;
}

/** Runs a command to its end; never rejects. */
export function run(file: string, args: readonly string[], input?: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(file, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      const reason = error === null ? '' : `${file} ${args.join(' ')}: ${stderr.trim() || error.message}`;
      resolve({ ok: error === null, stdout, reason });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

/** Runs commands one after the other until one fails; gives its reason. */
export async function runAll(commands: readonly (readonly string[])[]): Promise<string | undefined> {
  for (const [file = '', ...args] of commands) {
    const outcome = await run(file, args);
    if (!outcome.ok) return outcome.reason;
  }
  return undefined;
}
