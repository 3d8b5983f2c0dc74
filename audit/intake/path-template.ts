const MAX_SEGMENTS = 12;
const MAX_SEGMENT = 64;
const MAX_PATH = 4096;
const ID = '{id}';
const REST = '{rest}';

const NUMBER = /^[+-]?\d+(?:[.,]\d+)*$/;
const UUID = /^\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?$/i;
const HEX = /^(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{8,}$/i;
const DATE = /^\d{4}-\d{2}-\d{2}(?:T.*)?$/;
/** Tokens and keys: long, of one alphabet, with letters and digits mixed. */
const TOKEN = /^(?=[^\d]*\d)(?=[^a-z]*[a-z])[\w+=.~-]{20,}$/i;
const FILE = /^(.+)(\.[a-z]{1,5})$/i;
const NAMED = /^([a-z]{1,32}[-_])\d{3,}$/i;

function varies(text: string): boolean {
  return NUMBER.test(text) || UUID.test(text) || HEX.test(text) || DATE.test(text) || TOKEN.test(text);
}

function segment(raw: string): string {
  // Matrix parameters (`;jsessionid=`) are a query by another name.
  const text = raw.split(';', 1)[0] ?? '';
  if (text === ID || text === REST) return text;
  if (text.length > MAX_SEGMENT || text.includes('@') || text.includes('%40') || varies(text)) return ID;
  const [, stem, extension] = FILE.exec(text) ?? [];
  if (stem !== undefined && extension !== undefined && varies(stem)) return `${ID}${extension}`;
  const [, prefix] = NAMED.exec(text) ?? [];
  return prefix === undefined ? text : `${prefix}${ID}`;
}

/** The path of a request target: no query, no fragment. */
export function pathOf(target: string): string {
  return target.split(/[?#]/, 1)[0] ?? '';
}

/**
 * Infers the template behind a path: segments that look like identifiers (numbers, UUIDs, hexadecimal, dates, long
 * mixed tokens, mail addresses) become `{id}`. Idempotent. Guessing too little costs rows, which a cap bounds; guessing
 * too much hides what was called, so plain words always stay.
 */
export function templateOf(path: string): string {
  const segments = pathOf(path)
    .slice(0, MAX_PATH)
    .split('/', MAX_SEGMENTS + 2)
    .map(segment);
  if (segments.length <= MAX_SEGMENTS + 1) return segments.join('/');
  return [...segments.slice(0, MAX_SEGMENTS + 1), REST].join('/');
}
