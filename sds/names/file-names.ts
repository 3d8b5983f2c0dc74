import { isAbsolute, normalize } from 'node:path';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';

/** What a name that speaks of files asks for (Istio's `file-cert:CERT~KEY` and `file-root:PATH`). */
export type FileName =
  | { readonly kind: 'key pair'; readonly certificate: string; readonly key: string }
  | { readonly kind: 'roots'; readonly path: string }
  /** The authorities that this machine's operating system trusts. */
  | { readonly kind: 'system roots' };

const CERT = 'file-cert:';
const ROOT = 'file-root:';

/** Parses such a name; undefined when it is of another kind. */
export function parseFileName(name: string): Parsed<FileName> | undefined {
  if (name === `${ROOT}system`) return parsed({ kind: 'system roots' });
  if (name.startsWith(ROOT)) {
    const path = name.slice(ROOT.length);
    return plain(path) ? parsed({ kind: 'roots', path }) : refused(NOT_PLAIN);
  }
  if (!name.startsWith(CERT)) return undefined;
  const [certificate = '', key = '', ...more] = name.slice(CERT.length).split('~');
  if (more.length > 0) return refused('is not file-cert:CERT~KEY');
  return plain(certificate) && plain(key) ? parsed({ kind: 'key pair', certificate, key }) : refused(NOT_PLAIN);
}

const NOT_PLAIN = 'must name absolute paths without . and ..';

function plain(path: string): boolean {
  return isAbsolute(path) && normalize(path) === path && !path.includes('\0');
}
