const MAX_SEGMENTS = 12;
const MAX_SEGMENT = 64;
const MAX_PATH = 4096;
const ID = '{id}';
const REST = '{rest}';

/** Numbers, and several with something between them: versions, dates, times, telephone numbers, IPv4 addresses, coordinates, sizes. */
const NUMBER = /^[+-]?\d+(?:[.,:_x-]-?\d+)*$/;
const IPV6 = /^(?=[^:]*:[^:]*:)[0-9a-f:.]+$/i;
const UUID = /^\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?$/i;
const HEX = /^(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{8,}$/i;
const DATE = /^\d{4}-\d{2}-\d{2}(?:T.*)?$/;
/** Tokens and keys: long, of one alphabet, with letters and digits mixed. */
const TOKEN = /^(?=[^\d]*\d)(?=[^a-z]*[a-z])[\w+=.~-]{20,}$/i;
const FILE = /^(.+)(\.[a-z]{1,5})$/i;
/** A word, then what varies: `order-12345`, `user_9f8e7d6c5b4a`, `order12345`. */
const NAMED = /^((?:[a-z]{1,32}[-_]){1,4})([^-_].*)$/i;
const NUMBERED = /^([a-z]{1,32})\d{4,}$/i;
/** Behind such a word shorter tokens are told from words, by having digits and letters of both cases. */
const SHORT_TOKEN = /^(?=\D*\d)(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[a-z\d]{12,}$/i;
const THREE_DIGITS = /^\d{3,}$/;

function varies(text: string): boolean {
  return NUMBER.test(text) || UUID.test(text) || IPV6.test(text) || HEX.test(text) || DATE.test(text) || TOKEN.test(text);
}

function prefixOf(text: string): string | undefined {
  const [, words, rest = ''] = NAMED.exec(text) ?? [];
  if (words === undefined) return NUMBERED.exec(text)?.[1];
  const isId = THREE_DIGITS.test(rest) || (rest.length >= 8 && varies(rest)) || SHORT_TOKEN.test(rest);
  return isId ? words : undefined;
}

/** Matrix parameters (`;jsessionid=`) are a query by another name, but policies compare paths with them: that there are some is kept. */
function segment(raw: string): string {
  const [text = ''] = raw.split(';', 1);
  const template = templateOfSegment(text);
  return text === raw || template === ID ? template : `${template};${ID}`;
}

function templateOfSegment(text: string): string {
  if (text === ID || text === REST) return text;
  if (text.length > MAX_SEGMENT || text.includes('@') || text.includes('%40') || varies(text)) return ID;
  const [, stem, extension] = FILE.exec(text) ?? [];
  if (stem !== undefined && extension !== undefined && varies(stem)) return `${ID}${extension}`;
  const prefix = prefixOf(text);
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
