import { isIP } from 'node:net';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import type { Ports, Ranges } from './options.ts';

const MOST = 1024;

function wordsOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function each<T>(text: string, one: (word: string) => Parsed<T>): Parsed<readonly T[]> {
  const words = wordsOf(text);
  if (words.length > MOST) return refused(`has more than ${MOST} entries`);
  const values: T[] = [];
  for (const word of words) {
    const value = one(word);
    if (!value.ok) return value;
    values.push(value.value);
  }
  return parsed([...new Set(values)]);
}

export function parsePort(text: string): Parsed<number> {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port >= 1 && port <= 65_535 ? parsed(port) : refused(`${JSON.stringify(text)} is no port (1 to 65535)`);
}

/** Ports, separated by commas; the empty text is none. */
export function parsePorts(text: string): Parsed<readonly number[]> {
  return each(text, parsePort);
}

/** As parsePorts, or `*` for all of them. */
export function parsePortsOrAll(text: string): Parsed<Ports> {
  return text.trim() === '*' ? parsed('all') : parsePorts(text);
}

/** An address range in CIDR form; an address alone is a range of one. */
export function parseRange(text: string): Parsed<string> {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  // A zone (`%eth0`) is nothing that a packet carries.
  if (family === 0 || address.includes('%') || more.length > 0 || !(prefix <= most))
    return refused(`${JSON.stringify(text)} is no address range (10.0.0.0/8, fd00::/8)`);
  return parsed(`${address}/${prefix}`);
}

export function parseRanges(text: string): Parsed<readonly string[]> {
  return each(text, parseRange);
}

/** As parseRanges, or `*` for all addresses. */
export function parseRangesOrAll(text: string): Parsed<Ranges> {
  return text.trim() === '*' ? parsed('all') : parseRanges(text);
}

export function parseUserIds(text: string): Parsed<readonly number[]> {
  return each(text, (word) => {
    const id = /^\d{1,10}$/.test(word) ? Number(word) : Number.NaN;
    return id < 2 ** 32 - 1 ? parsed(id) : refused(`${JSON.stringify(word)} is no number of a user or group`);
  });
}

/** Names of network devices, as the kernel takes them. */
export function parseInterfaces(text: string): Parsed<readonly string[]> {
  return each(text, (word) =>
    /^[A-Za-z0-9._@-]{1,15}$/.test(word) ? parsed(word) : refused(`${JSON.stringify(word)} is no name of a network device`),
  );
}
