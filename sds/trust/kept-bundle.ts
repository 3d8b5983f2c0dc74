import { createHash } from 'node:crypto';
import { writePrivate } from '../agent/run-directory.ts';
import { readText } from '../agent/watch-file.ts';
import { parseBundle, type TrustBundle } from '../identity/bundle.ts';

/** The last bundle that the control plane gave, for the next start: the file with the first roots may be older. */
export interface KeptBundle {
  /** SHA-256 of the root file beside which it was kept: another file there means that somebody set the roots anew. */
  readonly rootFile: string;
  readonly bundle: TrustBundle;
}

export function digestOf(rootFile: string): string {
  return createHash('sha256').update(rootFile).digest('hex');
}

/** Undefined when there is none, or none that can be used. */
export async function readKept(path: string): Promise<KeptBundle | undefined> {
  const content = await readText(path);
  if (!content.ok) return undefined;
  try {
    const value: unknown = JSON.parse(content.text);
    if (typeof value !== 'object' || value === null || !('rootFile' in value) || !('roots' in value)) return undefined;
    if (typeof value.rootFile !== 'string' || typeof value.roots !== 'string') return undefined;
    const bundle = parseBundle(value.roots);
    return bundle.ok ? { rootFile: value.rootFile, bundle: bundle.value } : undefined;
  } catch {
    return undefined;
  }
}

export async function writeKept(path: string, { rootFile, bundle }: KeptBundle): Promise<void> {
  await writePrivate(path, `${JSON.stringify({ rootFile, roots: bundle.pem }, null, 2)}\n`, undefined);
}
