import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The ids that docs/divergences.md lists below a heading: cases that are answered differently from Istio on purpose. */
export function divergences(theme: string): ReadonlySet<string> {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/divergences.md'), 'utf8');
  const ids = text.matchAll(/^- `([a-z-]+)\/([^`]+)`/gm);
  return new Set([...ids].flatMap(([, where, id]) => (where === theme && id !== undefined ? [id] : [])));
}
