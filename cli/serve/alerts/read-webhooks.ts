import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isLoopbackIp } from '../../options/address.ts';
import { NAME, type Path, type Reader } from './reader.ts';
import type { Webhook } from './settings.ts';

const SHORTEST_SECRET = 16;
const LONGEST_TIMEOUT_MS = 60_000;

/** Plain HTTP would show what is told to everybody on the way, and who signs: it is for receivers on this machine. */
function urlOf(reader: Reader, value: unknown, path: Path): URL | undefined {
  const url = typeof value === 'string' && value.length <= 2048 && URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    reader.fault(path, 'is no address of a webhook', 'write https://HOST/PATH');
    return undefined;
  }
  if (url.username !== '' || url.password !== '') {
    reader.fault(path, 'must not hold a user or a password', 'messages are signed with secretFile');
    return undefined;
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'http:' && host !== 'localhost' && !isLoopbackIp(host)) {
    reader.fault(path, 'is plain HTTP to another machine', 'use https://');
    return undefined;
  }
  return url;
}

function contents(reader: Reader, value: unknown, path: Path): Buffer | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '') {
    reader.fault(path, 'must be the name of a file', 'relative names are from the folder of this file');
    return undefined;
  }
  try {
    return readFileSync(resolve(dirname(reader.file), value));
  } catch (error) {
    reader.fault(
      path,
      `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'make it, and let this user read it',
    );
    return undefined;
  }
}

function webhook(reader: Reader, value: unknown, path: Path): Webhook | undefined {
  const fields = reader.fields(value, path, ['name', 'url', 'secretFile', 'caFile', 'timeout']);
  const name = fields['name'];
  if (typeof name !== 'string' || !NAME.test(name)) {
    reader.fault([...path, 'name'], 'must be a name of lower-case letters, digits and -', 'such as security');
    return undefined;
  }
  const url = urlOf(reader, fields['url'], [...path, 'url']);
  // An editor's line break at the end is not part of it.
  const secret = contents(reader, fields['secretFile'], [...path, 'secretFile'])
    ?.toString('utf8')
    .replace(/\r?\n$/, '');
  if (secret !== undefined && Buffer.byteLength(secret) < SHORTEST_SECRET)
    reader.fault([...path, 'secretFile'], 'is shorter than 16 bytes', 'make one with: openssl rand -hex 32');
  const authorities = contents(reader, fields['caFile'], [...path, 'caFile'])?.toString('utf8');
  if (authorities !== undefined && !authorities.includes('-----BEGIN CERTIFICATE-----'))
    reader.fault([...path, 'caFile'], 'has no certificate', 'it must be PEM');
  const timeoutMs = reader.duration(fields['timeout'], [...path, 'timeout'], 10_000, 100, LONGEST_TIMEOUT_MS);
  if (url === undefined) return undefined;
  return { name, url, secret: secret === undefined ? undefined : Buffer.from(secret), authorities, timeoutMs };
}

/** The addresses to which alerts are posted, with what is in the files that they name. */
export function webhooks(reader: Reader, value: unknown): readonly Webhook[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > 16) {
    reader.fault(['webhooks'], 'must be a list of at most 16', 'each with a name and a url');
    return [];
  }
  const found = value.flatMap((one: unknown, at) => webhook(reader, one, ['webhooks', at]) ?? []);
  for (const [at, { name }] of found.entries())
    if (found.findIndex((other) => other.name === name) !== at)
      reader.fault(['webhooks', at, 'name'], `${name} is there twice`, 'give each its own name');
  return found;
}
