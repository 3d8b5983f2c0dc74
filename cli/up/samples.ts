import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** manifests/samples of the installation that this file is in, compiled or not; undefined where there is none. */
export function samplesFolder(): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const samples = join(folder, 'manifests', 'samples');
    if (existsSync(join(samples, 'images.yaml'))) return samples;
    if (folder === dirname(folder)) return undefined;
  }
}
