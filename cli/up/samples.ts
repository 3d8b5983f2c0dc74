import { dirname } from 'node:path';
import { installed } from '../input/installed.ts';

/** manifests/samples of the installation; undefined where there is none. */
export function samplesFolder(): string | undefined {
  const images = installed('manifests', 'samples', 'images.yaml');
  return images === undefined ? undefined : dirname(images);
}
