import type { Logger } from 'pino';
import type { Timers } from '../clock.ts';
import { parseBundle, type TrustBundle } from '../identity/bundle.ts';
import { type FileContent, readText, watchFile } from './watch-file.ts';

const LOOK_EVERY_MS = 500;

/** The trust bundle from a file, followed through its changes. A file that cannot be used leaves the last good one in force. */
export class RootBundle {
  readonly #path: string;
  readonly #log: Logger;
  #current: TrustBundle | undefined;
  #end: () => void = () => {};

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  current(): TrustBundle | undefined {
    return this.#current;
  }

  /** Reads the file and follows it; `onChange` is called for every bundle after the first. */
  async start(timers: Timers, onChange: () => void): Promise<void> {
    const first = await readText(this.#path);
    this.#take(first);
    this.#end = watchFile(this.#path, first, LOOK_EVERY_MS, timers, (content) => {
      if (this.#take(content)) onChange();
    });
  }

  close(): void {
    this.#end();
  }

  #take(content: FileContent): boolean {
    const bundle = content.ok ? parseBundle(content.text) : content;
    if (!bundle.ok) {
      const kept = this.#current === undefined ? 'no certificate can be asked for' : 'the last good roots stay in force';
      this.#log.error({ rootCert: this.#path, reason: bundle.reason }, `root certificates cannot be used; ${kept}`);
      return false;
    }
    if (bundle.value.pem === this.#current?.pem) return false;
    this.#current = bundle.value;
    return true;
  }
}
