import type { PathNormalization } from '../../mesh/model/mesh-config.ts';

const UNRESERVED = /^[A-Za-z0-9\-._~]$/;
/** What the WHATWG URL standard percent-encodes in a path (its path percent-encode set), as Envoy's URL library does. */
function encoded(character: string): string {
  const code = character.charCodeAt(0);
  if (code > 0x20 && code !== 0x7f && !'"<>^`{|}'.includes(character)) return character;
  return `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

function decodeUnreserved(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return UNRESERVED.test(character) ? character : escape;
  });
}

/** Some servers take `..;x` for `..`, and so does Envoy; not so where the dots or the semicolon are escaped. */
function withoutParametersOfDots(path: string): string {
  return path.replace(/\/(\.\.?);[^/]*/g, '/$1');
}

/** RFC 3986, section 5.2.4; an empty segment counts as one. */
function withoutDots(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (last) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** Nothing in it that any mode would change. */
const PLAIN = /^(?:\/[A-Za-z0-9\-_~][A-Za-z0-9\-._~]*)+\/?$/;

/**
 * The path as policy sees it, without query and fragment, after what MeshConfig's `pathNormalization` has Envoy do.
 * @param raw as sent; one that does not begin with `/` (such as `*`) is left alone
 */
export function normalizedPath(raw: string, mode: PathNormalization): string {
  if (PLAIN.test(raw)) return raw;
  const path = /^[^?#]*/.exec(raw)?.[0] ?? '';
  if (mode === 'NONE' || !path.startsWith('/')) return path;
  const unescaped = mode === 'DECODE_AND_MERGE_SLASHES' ? path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\') : path;
  const plain = Array.from(decodeUnreserved(withoutParametersOfDots(unescaped)).replaceAll('\\', '/'), encoded).join('');
  const resolved = withoutDots(plain);
  if (mode === 'BASE') return resolved;
  // Envoy puts the first and the last slash back whatever is between: a path of slashes alone keeps two.
  return /^\/{2,}$/.test(resolved) ? '//' : resolved.replace(/\/{2,}/g, '/');
}
