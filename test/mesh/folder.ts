import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder that a test may fill; removed by `dispose`. */
export class TestFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'gatehouse-mesh-'));

  at(name: string): string {
    return join(this.path, name);
  }

  /** Writes in place, as a shell's `>` does. */
  write(name: string, text: string): string {
    const path = this.at(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** Writes beside and renames over, as editors and `kubectl` mounts do. */
  swap(name: string, text: string): string {
    const draft = this.write(`${name}.draft`, text);
    renameSync(draft, this.at(name));
    return this.at(name);
  }

  /** Makes a link to another name of this folder. */
  link(name: string, target: string): void {
    const path = this.at(name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(this.at(target), path);
  }

  dispose(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
