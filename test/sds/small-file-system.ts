import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from 'mocha';

/** A small file system of its own in a folder; the test is skipped by name where there is no root, or no mount. */
export class SmallFileSystem {
  readonly #dir: string;
  #files = 0;

  constructor(test: Context, dir: string, size: string) {
    this.#dir = dir;
    const mount = ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', dir];
    if (process.getuid?.() !== 0 || spawnSync('mount', mount).status !== 0) test.skip();
  }

  /** Until not a byte more can be written. */
  fill(): void {
    for (const bytes of [4096, 1]) {
      try {
        for (;;) writeFileSync(join(this.#dir, `fill-${this.#files++}`), Buffer.alloc(bytes));
      } catch {
        // Full.
      }
    }
  }

  free(): void {
    for (let index = 0; index < this.#files; index++) rmSync(join(this.#dir, `fill-${index}`), { force: true });
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.#dir]);
  }
}
