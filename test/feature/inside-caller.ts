import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Reply, root } from './running-mesh.ts';

type Told = { readonly id: number } & (Reply | { readonly error: string });

/** Asks as an application of a pod does: from inside of its network namespace, where what it sends is captured. */
export class InsideCaller {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: Error) => void }>();
  #asked = 0;

  constructor(netns: string) {
    const script = join(root, 'test', 'feature', 'inside-caller.mjs');
    this.#process = spawn('ip', ['netns', 'exec', netns, process.execPath, script]);
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      const told = JSON.parse(line) as Told;
      const waiting = this.#waiting.get(told.id);
      this.#waiting.delete(told.id);
      if ('error' in told) waiting?.reject(new Error(told.error));
      else waiting?.resolve(told);
    });
    this.#process.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the caller in ${netns} ended`));
      this.#waiting.clear();
    });
  }

  get(address: string, path: string, headers: Record<string, string> = {}): Promise<Reply> {
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.stdin.write(`${JSON.stringify({ id, address, path, headers })}\n`);
    });
  }

  close(): void {
    this.#process.kill();
  }
}
