import { execFile } from 'node:child_process';
import type { RolloutStatus } from '../../../policy/rollout/status.ts';
import { self } from '../../up/self.ts';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const LONGEST_MS = 60_000;

function run(args: readonly string[]): Promise<Ended> {
  const command = self(args);
  return new Promise((resolve) => {
    execFile(command.file, [...command.args], { timeout: LONGEST_MS, maxBuffer: 16 << 20 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr }),
    );
  });
}

/** `gatehouse rollout` on the tour's mesh, as anybody would type it. */
export class RolloutCommands {
  readonly #caDir: string;
  readonly #say: (line: string) => void;

  constructor(caDir: string, say: (line: string) => void) {
    this.#caDir = caDir;
    this.#say = say;
  }

  async status(): Promise<RolloutStatus | undefined> {
    const { stdout } = await run(['rollout', 'status', 'shop', '--ca-dir', this.#caDir, '-o', 'json']);
    try {
      const answer: unknown = JSON.parse(stdout);
      const [status] = Array.isArray(answer) ? answer : [answer];
      return typeof status === 'object' && status !== null && 'stage' in status ? (status as RolloutStatus) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Takes the next step. Undefined: done; otherwise why not. */
  async advance(reason: string): Promise<string | undefined> {
    this.#say(`$ npx gatehouse rollout advance shop --ca-dir ${this.#caDir} --reason '${reason}'`);
    const { code, stdout, stderr } = await run(['rollout', 'advance', 'shop', '--ca-dir', this.#caDir, '--reason', reason]);
    return code === 0 ? undefined : `${stdout}${stderr}`.trim();
  }
}
