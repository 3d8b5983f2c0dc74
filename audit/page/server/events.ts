import type { ServerResponse } from 'node:http';

const MOST_STREAMS = 500;
const COMMENT_MS = 15_000;

/** Tells browsers that there is something new, never what: each asks for what it may see. */
export class Events {
  readonly #streams = new Set<ServerResponse>();
  readonly #version: () => Promise<string>;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #last = '';
  #silentSince = 0;

  /** @param version another text when something changed; asked for only while somebody listens */
  constructor(version: () => Promise<string>, everyMs: number) {
    this.#version = version;
    this.#everyMs = everyMs;
  }

  /** Takes over a response until its reader leaves. False: there are too many. */
  add(response: ServerResponse): boolean {
    if (this.#streams.size >= MOST_STREAMS) return false;
    response.on('error', () => this.#remove(response));
    response.on('close', () => this.#remove(response));
    response.write(`retry: 2000\nevent: version\ndata: ${JSON.stringify(this.#last)}\n\n`);
    this.#streams.add(response);
    this.#timer ??= setTimeout(() => void this.#tick(), this.#everyMs);
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const response of this.#streams) response.end();
    this.#streams.clear();
  }

  #remove(response: ServerResponse): void {
    this.#streams.delete(response);
  }

  async #tick(): Promise<void> {
    const version = await this.#version().catch(() => this.#last);
    this.#silentSince += this.#everyMs;
    const text =
      version !== this.#last
        ? `event: version\ndata: ${JSON.stringify(version)}\n\n`
        : this.#silentSince >= COMMENT_MS
          ? ':\n\n'
          : '';
    this.#last = version;
    if (text !== '') {
      this.#silentSince = 0;
      for (const response of this.#streams)
        // One that does not read is told when it does.
        if (!response.writableNeedDrain) response.write(text);
    }
    this.#timer = this.#streams.size === 0 ? undefined : setTimeout(() => void this.#tick(), this.#everyMs);
  }
}
