// gRPC clients that are programs of their own, one in each language; all do the same steps.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Context } from 'mocha';
import { pythonSpiffe } from '../../../sds/client-program.ts';
import { goProgram } from '../../../tools/go-program.ts';

export interface Config {
  readonly address: string;
  readonly serverName: string;
  /** PEM, as are the others. */
  readonly roots: string;
  readonly csr: string;
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Nothing newer than TLS 1.2. */
  readonly tls12?: boolean;
  readonly keepaliveMs?: number;
  /** Whether the channel may retry, as it may where nothing is said. */
  readonly retries: boolean;
}

/**
 * What a client can be told to do, in turn, on one channel: `connect` without a call; `wait` for a line on its standard input; a `call`, or one
 * with another `token`, compressed with `gzip`, with a `large` request of so many bytes, with a `deadline` in milliseconds, or to `cancel` after a
 * line on its standard input; so many `calls`, so many at once; callers at once, each `until-error`; to `open` a discovery stream and await the
 * first answer, and to `close` it. With `&`, the next step does not wait for this one.
 */
export type Step =
  | 'connect'
  | 'wait'
  | 'call'
  | `token:${string}`
  | 'gzip'
  | `large:${number}`
  | `deadline:${number}`
  | 'cancel'
  | `${'' | '&'}calls:${number}:${number}`
  | `until-error:${number}`
  | 'open'
  | 'close';

/** What came of a step: how often it ended with each status code. */
export interface Line {
  readonly step: string;
  readonly codes?: Readonly<Record<string, number>>;
  readonly details?: string;
  readonly chain?: readonly string[];
}

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** By language; a test that asks for one that cannot be had is skipped by name. */
export const PROGRAMS: Readonly<Record<string, (test: Context) => Program>> = Object.freeze({
  'grpc-go': (test) => {
    const root = join(import.meta.dirname, '..', '..', '..', '..');
    const command = goProgram(test, join(import.meta.dirname, 'grpc-go'), join(root, '.tools', 'grpc-go-interop'));
    return { command, args: [] };
  },
  'Python grpcio': (test) => ({
    command: pythonSpiffe(test).command,
    args: [join(import.meta.dirname, 'python-grpcio', 'client.py')],
  }),
  'grpc-js': () => ({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'grpc-js-client.ts')],
  }),
});

export class ClientProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';

  constructor({ command, args }: Program, config: Config, steps: readonly Step[]) {
    const env = { ...process.env, GRPC_VERBOSITY: 'ERROR' };
    const child = spawn(command, [...args, JSON.stringify(config), ...steps], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    // A program that has ended reads no more; what it said about it is told with its lines.
    child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#child = child;
  }

  /** What came of the next step. */
  async next(): Promise<Line> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`the client ended early:\n${this.#stderr}`);
    const said: Line = JSON.parse(line.value);
    return said;
  }

  /** What came of all steps that are left. */
  async rest(): Promise<readonly Line[]> {
    const lines: Line[] = [];
    for (let line = await this.#lines.next(); line.done !== true; line = await this.#lines.next())
      lines.push(JSON.parse(line.value));
    const { exitCode } = this.#child;
    const [code]: unknown[] = exitCode === null ? await once(this.#child, 'exit') : [exitCode];
    if (code !== 0) throw new Error(`the client ended with ${String(code)}:\n${JSON.stringify(lines)}\n${this.#stderr}`);
    return lines;
  }

  /** Has a client go on that waits. */
  goOn(): void {
    this.#child.stdin?.write('\n');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
