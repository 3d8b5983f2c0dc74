import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { DenialSpikeRule, NewEdgeRule, PlainTextRule } from '../../../audit/alerts/rules.ts';
import { parseDuration } from '../../../mesh/admit/duration.ts';
import { isLoopbackIp } from '../../options/address.ts';
import type { AlertSettings, Webhook } from './settings.ts';

export type ReadAlerts =
  { readonly ok: true; readonly value: AlertSettings } | { readonly ok: false; readonly faults: readonly string[] };

type Path = readonly (string | number)[];
type Fields = Readonly<Record<string, unknown>>;

const LARGEST = 1 << 20;
const SHORTEST_SECRET = 16;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads values by where they stand and says what is wrong with them, with file and line. */
class Reader {
  readonly #faults: { readonly line: number; readonly text: string }[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #counter = new LineCounter();
  readonly #document;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    // Aliases are bounded, so that a small file cannot become a large one.
    this.#document = parseDocument(text, { lineCounter: this.#counter });
    for (const { message, pos } of this.#document.errors)
      this.#faultAt(pos[0], message.split('\n', 1)[0] ?? '', 'repair the YAML');
  }

  /** In the order of their lines. */
  get faults(): readonly string[] {
    return [...this.#faults].sort((a, b) => a.line - b.line).map(({ text }) => text);
  }

  get file(): string {
    return this.#file;
  }

  value(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      this.fault([], error instanceof Error ? error.message : String(error), 'use fewer aliases');
      return undefined;
    }
  }

  /** At the key of what is meant, or at the nearest thing around it that is there. */
  fault(path: Path, message: string, hint: string): void {
    let at = 0;
    for (let length = path.length; length >= 0; length--) {
      const node = length === 0 ? this.#document.contents : this.#document.getIn(path.slice(0, length), true);
      if (!isNode(node)) continue;
      const parent =
        length === 0 ? undefined : length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, length - 1), true);
      const last = path[length - 1];
      const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === last) : undefined;
      const from = isNode(pair?.key) ? pair.key.range : node.range;
      at = from?.[0] ?? 0;
      break;
    }
    this.#faultAt(at, `${path.length === 0 ? '' : `${path.join('.')}: `}${message}`, hint);
  }

  #faultAt(offset: number, message: string, hint: string): void {
    const line = Math.max(1, this.#counter.linePos(Math.min(offset, this.#text.length)).line);
    this.#faults.push({ line, text: `${this.#file}:${String(line)}: error: ${message} (${hint})` });
  }

  /** The fields there; other names than these are faults. */
  fields(value: unknown, path: Path, names: readonly string[]): Fields {
    if (value === null || value === undefined) return {};
    if (!isFields(value)) {
      this.fault(path, 'must have fields', `write some of ${names.join(', ')}`);
      return {};
    }
    for (const name of Object.keys(value))
      if (!names.includes(name)) this.fault([...path, name], 'is no field that is known', `known are ${names.join(', ')}`);
    return value;
  }

  duration(value: unknown, path: Path, otherwise: number, least: number, most: number): number {
    if (value === undefined) return otherwise;
    const ms = typeof value === 'string' ? parseDuration(value) : undefined;
    if (ms !== undefined && ms >= least && ms <= most) return ms;
    this.fault(path, 'is no duration that can be meant', `write one from ${least / 1000}s to ${most / 3_600_000}h, such as 5m`);
    return otherwise;
  }

  number(value: unknown, path: Path, otherwise: number, least: number, most: number): number {
    if (value === undefined) return otherwise;
    if (typeof value === 'number' && value >= least && value <= most) return value;
    this.fault(path, 'is no number that can be meant', `write one from ${least} to ${most}`);
    return otherwise;
  }

  names(value: unknown, path: Path): readonly string[] | undefined {
    if (value === undefined) return undefined;
    if (
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((name): name is string => typeof name === 'string' && NAME.test(name))
    )
      return value;
    this.fault(path, 'must be a list of names of namespaces', 'such as [payments, users]');
    return undefined;
  }
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const YEAR_MS = 8_760 * HOUR_MS;

function newEdge(reader: Reader, value: unknown): NewEdgeRule {
  const fields = reader.fields(value, ['newEdge'], ['namespaces', 'learn']);
  return {
    namespaces: reader.names(fields['namespaces'], ['newEdge', 'namespaces']),
    learnMs: reader.duration(fields['learn'], ['newEdge', 'learn'], 24 * HOUR_MS, 0, YEAR_MS),
  };
}

function plainText(reader: Reader, value: unknown): PlainTextRule {
  const fields = reader.fields(value, ['plainText'], ['namespaces', 'again']);
  return {
    namespaces: reader.names(fields['namespaces'], ['plainText', 'namespaces']) ?? [],
    againMs: reader.duration(fields['again'], ['plainText', 'again'], 24 * HOUR_MS, MINUTE_MS, YEAR_MS),
  };
}

function denialSpike(reader: Reader, value: unknown): DenialSpikeRule {
  const fields = reader.fields(value, ['denialSpike'], ['window', 'factor', 'least', 'again']);
  return {
    windowMs: reader.duration(fields['window'], ['denialSpike', 'window'], 5 * MINUTE_MS, 1_000, 24 * HOUR_MS),
    factor: reader.number(fields['factor'], ['denialSpike', 'factor'], 5, 1, 1_000_000),
    least: reader.number(fields['least'], ['denialSpike', 'least'], 20, 1, 1_000_000_000),
    againMs: reader.duration(fields['again'], ['denialSpike', 'again'], HOUR_MS, 1_000, YEAR_MS),
  };
}

/** It has nothing to be set. */
function rollback(reader: Reader, value: unknown): { readonly rollback: true } {
  reader.fields(value, ['rollback'], []);
  return { rollback: true };
}

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
  const timeoutMs = reader.duration(fields['timeout'], [...path, 'timeout'], 10_000, 100, MINUTE_MS);
  if (url === undefined) return undefined;
  return { name, url, secret: secret === undefined ? undefined : Buffer.from(secret), authorities, timeoutMs };
}

function webhooks(reader: Reader, value: unknown): readonly Webhook[] {
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

/** Reads the file of `--alerts`: webhooks, and the rules that are wanted. */
export function readAlerts(file: string): ReadAlerts {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { ok: false, faults: [`${file}:1: error: ${error instanceof Error ? error.message : String(error)}`] };
  }
  if (text.length > LARGEST) return { ok: false, faults: [`${file}:1: error: is larger than 1 MiB (alert rules are short)`] };
  const reader = new Reader(file, text);
  const value = reader.faults.length === 0 ? reader.value() : undefined;
  const fields = reader.fields(value, [], ['webhooks', 'newEdge', 'plainText', 'denialSpike', 'rollback']);
  const has = (name: string): boolean => Object.hasOwn(fields, name);
  const settings: AlertSettings = {
    webhooks: webhooks(reader, fields['webhooks']),
    rules: {
      newEdge: has('newEdge') ? newEdge(reader, fields['newEdge']) : undefined,
      plainText: has('plainText') ? plainText(reader, fields['plainText']) : undefined,
      denialSpike: has('denialSpike') ? denialSpike(reader, fields['denialSpike']) : undefined,
      ...(has('rollback') && rollback(reader, fields['rollback'])),
    },
  };
  const { rules } = settings;
  if (
    reader.faults.length === 0 &&
    rules.newEdge === undefined &&
    rules.plainText === undefined &&
    rules.denialSpike === undefined &&
    rules.rollback === undefined
  )
    reader.fault([], 'has no rule', 'write newEdge: {}, plainText: {}, denialSpike: {} or rollback: {}');
  return reader.faults.length === 0 ? { ok: true, value: settings } : { ok: false, faults: reader.faults };
}
