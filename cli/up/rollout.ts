import { obstacle, type WatchedPod } from './readiness.ts';

const POLL_MS = 100;
/** Pods of one change wait for each other this long. */
const TOGETHER_MS = 5000;

/**
 * Lets pods that were added to a running mesh get requests once their proxy and application serve. Those of one change are
 * let in together, so that two versions that came together share the requests from the first on; a slow one holds up the others for a while only.
 */
export class Rollout {
  readonly #watched: (key: string) => WatchedPod | undefined;
  readonly #letIn: (keys: readonly string[]) => void;
  #closed = false;

  /** @param watched undefined once the pod is gone */
  constructor(watched: (key: string) => WatchedPod | undefined, letIn: (keys: readonly string[]) => void) {
    this.#watched = watched;
    this.#letIn = letIn;
  }

  begin(keys: readonly string[]): void {
    if (keys.length > 0) void this.#follow(new Set(keys), performance.now());
  }

  close(): void {
    this.#closed = true;
  }

  async #follow(waiting: Set<string>, began: number): Promise<void> {
    while (waiting.size > 0 && !this.#closed) {
      const ready: string[] = [];
      for (const key of waiting) {
        const watched = this.#watched(key);
        if (watched === undefined) waiting.delete(key);
        else if ((await obstacle(watched)) === undefined) ready.push(key);
      }
      if (ready.length > 0 && (ready.length === waiting.size || performance.now() - began > TOGETHER_MS)) {
        this.#letIn(ready);
        for (const key of ready) waiting.delete(key);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
