import { createHash, timingSafeEqual } from 'node:crypto';
import { type Parsed, parsed, refused } from '../../../../ca/identity/parsed.ts';
import type { Viewer } from '../viewer.ts';
import { isNamespaceName, namespacesIn } from './namespaces.ts';

/** Bearer tokens and whose they are; the tokens themselves are kept as hashes. */
export interface TokenTable {
  /** By the token itself. */
  find(token: string): { readonly id: string; readonly viewer: Viewer } | undefined;
  /** By what a session has of it; undefined once it was taken out. */
  byId(id: string): Viewer | undefined;
}

interface Entry {
  readonly hash: Buffer;
  readonly id: string;
  readonly viewer: Viewer;
}

/** Shorter ones can be guessed. */
const SHORTEST = 24;
const MOST = 1_000;
const LONGEST = 4_096;

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function entryOf(value: unknown, at: number): Parsed<Entry> {
  const where = `entry ${at + 1}`;
  if (typeof value !== 'object' || value === null) return refused(`${where} is no mapping of name, token and namespaces`);
  const fields = new Map<string, unknown>(Object.entries(value));
  for (const key of fields.keys())
    if (!['name', 'token', 'sha256', 'namespaces'].includes(key)) return refused(`${where}: there is no field ${key}`);
  const [name, token, sha256, namespaces] = ['name', 'token', 'sha256', 'namespaces'].map((key) => fields.get(key));
  if (typeof name !== 'string' || name === '' || name.length > 200) return refused(`${where} has no name`);
  if ((token === undefined) === (sha256 === undefined)) return refused(`${where} (${name}) needs either token or sha256`);
  if (token !== undefined && (typeof token !== 'string' || token.length < SHORTEST || token.length > LONGEST || /\s/.test(token)))
    return refused(
      `${where} (${name}): a token has ${SHORTEST} characters or more, and no spaces (such as: openssl rand -base64 32)`,
    );
  if (sha256 !== undefined && (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/i.test(sha256)))
    return refused(`${where} (${name}): sha256 has 64 hexadecimal digits`);
  if (!Array.isArray(namespaces) || namespaces.length === 0)
    return refused(`${where} (${name}) needs namespaces: a list of names, or ['*'] for all`);
  const wrong: unknown = namespaces.find((one) => typeof one !== 'string' || !isNamespaceName(one));
  if (wrong !== undefined) return refused(`${where} (${name}): ${JSON.stringify(wrong)} is no name of a namespace`);
  const hash = typeof token === 'string' ? hashOf(token) : Buffer.from(String(sha256), 'hex');
  return parsed({ hash, id: hash.toString('base64url').slice(0, 24), viewer: { name, namespaces: namespacesIn(namespaces) } });
}

/** @param content what the YAML of the file holds: a list of `{name, token or sha256, namespaces}` */
export function parseTokens(content: unknown): Parsed<TokenTable> {
  if (!Array.isArray(content) || content.length === 0) return refused('it is no list of tokens');
  if (content.length > MOST) return refused(`it has more than ${MOST} tokens`);
  const entries: Entry[] = [];
  for (const [at, value] of content.entries()) {
    const entry = entryOf(value, at);
    if (!entry.ok) return entry;
    if (entries.some(({ hash }) => hash.equals(entry.value.hash))) return refused(`entry ${at + 1}: the token is there twice`);
    entries.push(entry.value);
  }
  return parsed({
    find(token) {
      if (token.length > LONGEST) return undefined;
      const hash = hashOf(token);
      // All of them, so that time tells nothing of which.
      let found: Entry | undefined;
      for (const entry of entries) if (timingSafeEqual(entry.hash, hash)) found = entry;
      return found && { id: found.id, viewer: found.viewer };
    },
    byId: (id) => entries.find((entry) => entry.id === id)?.viewer,
  });
}
