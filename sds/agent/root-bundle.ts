import type { Logger } from 'pino';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { Timers } from '../clock.ts';
import { parseBundle, type TrustBundle } from '../identity/bundle.ts';
import { digestOf, readKept, writeKept } from '../trust/kept-bundle.ts';
import { type FileContent, readText, watchFile } from './watch-file.ts';

const LOOK_EVERY_MS = 500;

/**
 * The trust bundle. It begins with a file, followed through its changes, and goes on with what the control plane gives,
 * which is kept on disk. While the control plane keeps it up to date, a change of the file counts for nothing: file and
 * control plane may tell of the same change, and the file later. A file that cannot be used leaves the last good bundle
 * in force.
 */
export class RootBundle {
  readonly #path: string;
  readonly #keptPath: string;
  readonly #log: Logger;
  #current: TrustBundle | undefined;
  #rootFile = '';
  #live = false;
  #onChange: () => void = () => {};
  #end: () => void = () => {};

  /** @param keptPath where the control plane's bundle is kept for the next start */
  constructor(path: string, keptPath: string, log: Logger) {
    this.#path = path;
    this.#keptPath = keptPath;
    this.#log = log;
  }

  current(): TrustBundle | undefined {
    return this.#current;
  }

  /** Reads the file and follows it; `onChange` is called for every bundle after the first. */
  async start(timers: Timers, onChange: () => void): Promise<void> {
    this.#onChange = onChange;
    const first = await readText(this.#path);
    this.#rootFile = digest(first);
    const kept = await readKept(this.#keptPath);
    // A root file that is gone says nothing against what was kept beside it.
    if (kept !== undefined && (!first.ok || kept.rootFile === this.#rootFile)) this.#current = kept.bundle;
    else this.#take(first);
    this.#end = watchFile(this.#path, first, LOOK_EVERY_MS, timers, (content) => this.#fileChanged(content));
  }

  close(): void {
    this.#end();
  }

  /** Whether the control plane keeps the bundle up to date now. */
  setLive(live: boolean): void {
    this.#live = live;
  }

  /** Puts the control plane's bundle into force. */
  async learn(pem: string): Promise<Parsed<TrustBundle>> {
    const bundle = parseBundle(pem);
    if (!bundle.ok) return bundle;
    const changed = bundle.value.pem !== this.#current?.pem;
    this.#current = bundle.value;
    await this.#keep(bundle.value);
    if (changed) this.#onChange();
    return bundle;
  }

  async #keep(bundle: TrustBundle): Promise<void> {
    try {
      await writeKept(this.#keptPath, { rootFile: this.#rootFile, bundle });
    } catch (error) {
      // A full disk must not stop a rotation: after a restart the roots of the file are asked with again.
      this.#log.warn({ path: this.#keptPath, error: String(error) }, 'the trust bundle cannot be kept for the next start');
    }
  }

  #fileChanged(content: FileContent): void {
    this.#rootFile = digest(content);
    if (this.#live && this.#current !== undefined) {
      this.#log.info({ rootCert: this.#path }, 'the root file changed; the bundle of the control plane stays in force');
      void this.#keep(this.#current);
      return;
    }
    if (this.#take(content)) this.#onChange();
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

function digest(content: FileContent): string {
  return content.ok ? digestOf(content.text) : '';
}
