// Test cases that are kept beside the repository, not in it: other projects wrote them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const beside = join(import.meta.dirname, '..', '..', 'shared');

/** Cases of Istio, SPIFFE and others, as data. GATEHOUSE_CORPORA names another place. */
export const CORPORA = process.env['GATEHOUSE_CORPORA'] ?? join(beside, 'corpora');
/** The YAML of articles, as printed. GATEHOUSE_SEEDS names another place. */
export const SEEDS = process.env['GATEHOUSE_SEEDS'] ?? join(beside, 'seeds');

/**
 * Whether a file or folder is there.
 * @throws Error when a variable names its place and it is not there: then somebody means it to be
 */
export function isPresent(path: string): boolean {
  if (existsSync(path)) return true;
  const named = path.startsWith(CORPORA) ? process.env['GATEHOUSE_CORPORA'] : process.env['GATEHOUSE_SEEDS'];
  if (named !== undefined) throw new Error(`there is no ${path}`);
  return false;
}
