import { isAbsolute, normalize } from 'node:path';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';

/** What a name that speaks of files asks for (Istio's `file-cert:CERT~KEY` and `file-root:PATH`; `file-root:PATH~CRL` is ours). */
export type FileName =
  | { readonly kind: 'key pair'; readonly certificate: string; readonly key: string }
  | { readonly kind: 'roots'; readonly path: string; readonly crl?: string }
  /** The authorities that this machine's operating system trusts. */
  | { readonly kind: 'system roots'; readonly crl?: string };

const CERT = 'file-cert:';
const ROOT = 'file-root:';
const SYSTEM = 'system';

/** Parses such a name; undefined when it is of another kind. */
export function parseFileName(name: string): Parsed<FileName> | undefined {
  if (name.startsWith(ROOT)) {
    const [path = '', crl, ...more] = name.slice(ROOT.length).split('~');
    if (more.length > 0) return refused('is not file-root:PATH or file-root:PATH~CRL');
    if ((path !== SYSTEM && !plain(path)) || (crl !== undefined && !plain(crl))) return refused(NOT_PLAIN);
    const revoked = crl === undefined ? {} : { crl };
    return parsed(path === SYSTEM ? { kind: 'system roots', ...revoked } : { kind: 'roots', path, ...revoked });
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
