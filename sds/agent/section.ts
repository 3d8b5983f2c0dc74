import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, type YAMLMap } from 'yaml';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { ConfigDiagnostic } from './diagnostic.ts';
import { nearest } from './nearest.ts';

/** A YAML or JSON text under reading: collects what is wrong with it, with the lines. */
export class ConfigText {
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #found: ConfigDiagnostic[] = [];
  #document: Document | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  get diagnostics(): readonly ConfigDiagnostic[] {
    return this.#found;
  }

  /** The document's top level, or undefined when the text is no YAML map. */
  parse(text: string, known: readonly string[]): Section | undefined {
    const documents = parseAllDocuments(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: true });
    const [document, second] = documents;
    if (document === undefined) {
      this.fail(null, '', 'the file is empty', 'see docs/sds.md for an example');
      return undefined;
    }
    this.#document = document;
    for (const error of document.errors) this.#add(this.#lines.linePos(error.pos[0]).line, '', error.message);
    if (second !== undefined) this.fail(second.contents ?? null, '', 'more than one YAML document');
    if (this.#found.length > 0) return undefined;
    return this.section(document.contents, '', known);
  }

  section(value: unknown, path: string, known: readonly string[]): Section | undefined {
    const node = this.resolve(value);
    if (isMap(node)) return new Section(this, node, path, known);
    this.fail(value, path, 'must be a map of fields');
    return undefined;
  }

  resolve(value: unknown): unknown {
    return isAlias(value) && this.#document !== undefined ? value.resolve(this.#document) : value;
  }

  fail(at: unknown, field: string, message: string, hint?: string): void {
    this.#add(this.#lineOf(at), field, message, hint);
  }

  #add(line: number, field: string, message: string, hint?: string): void {
    const most = 100;
    if (this.#found.length < most)
      this.#found.push({ file: this.#file, line: Math.max(1, line), field, severity: 'error', message, hint });
  }

  #lineOf(at: unknown): number {
    const start = isNode(at) ? at.range?.[0] : undefined;
    return start === undefined ? 1 : this.#lines.linePos(start).line;
  }
}

function isNode(value: unknown): value is Node {
  return isMap(value) || isSeq(value) || isScalar(value) || isAlias(value);
}

/** One map of the text. Every read reports what is wrong with that field and returns undefined for it. */
export class Section {
  readonly path: string;
  readonly #text: ConfigText;
  readonly #map: YAMLMap;

  constructor(text: ConfigText, map: YAMLMap, path: string, known: readonly string[]) {
    this.#text = text;
    this.#map = map;
    this.path = path;
    for (const { key } of map.items) {
      const name = isScalar(key) ? String(key.value) : '';
      if (known.includes(name)) continue;
      const meant = nearest(name, known);
      const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean ${meant}?`;
      text.fail(key, this.#field(name), 'unknown field', hint);
    }
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  /** A text, parsed. Missing without a fallback is reported. */
  parsed<T>(name: string, parse: (text: string) => Parsed<T>, fallback?: T): T | undefined {
    const value = this.#value(name);
    if (value === undefined) {
      if (fallback === undefined) this.fail('', `${name} is missing`);
      return fallback;
    }
    const text = isScalar(value) ? value.value : undefined;
    if (typeof text !== 'string') return this.fail(name, 'must be text', 'put it in quotes');
    const result = parse(text);
    return result.ok ? result.value : this.fail(name, result.reason);
  }

  optional<T>(name: string, parse: (text: string) => Parsed<T>): T | undefined {
    return this.has(name) ? this.parsed(name, parse) : undefined;
  }

  integer(name: string, least: number, most: number): number | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    const number = isScalar(value) ? value.value : undefined;
    if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most) return number;
    return this.fail(name, `must be a whole number from ${least} to ${most}`);
  }

  /** True when the field is there and is the word `false`. */
  isFalse(name: string): boolean {
    const value = this.#value(name);
    return isScalar(value) && value.value === false;
  }

  section(name: string, known: readonly string[]): Section | undefined {
    const value = this.#value(name);
    return value === undefined ? undefined : this.#text.section(value, this.#field(name), known);
  }

  sections(name: string, known: readonly string[]): readonly Section[] {
    return this.#items(name).flatMap((item, index) => {
      const section = this.#text.section(item, `${this.#field(name)}[${index}]`, known);
      return section === undefined ? [] : [section];
    });
  }

  texts(name: string): readonly string[] {
    return this.#items(name).flatMap((item) => {
      const node = this.#text.resolve(item);
      if (isScalar(node) && typeof node.value === 'string') return [node.value];
      this.#text.fail(item, this.#field(name), 'must be a list of texts', 'put numbers in quotes');
      return [];
    });
  }

  /** A list of texts; a single one may be written without the list. */
  textOrTexts(name: string): readonly string[] {
    const value = this.#value(name);
    return isScalar(value) && typeof value.value === 'string' ? [value.value] : this.texts(name);
  }

  /** A map of texts, such as labels. */
  record(name: string): Readonly<Record<string, string>> {
    const value = this.#value(name);
    if (value === undefined) return {};
    if (!isMap(value)) return this.fail(name, 'must be a map of texts') ?? {};
    const entries: [string, string][] = [];
    for (const item of value.items) {
      const [key, text] = [this.#text.resolve(item.key), this.#text.resolve(item.value)];
      if (isScalar(key) && isScalar(text) && typeof text.value === 'string') entries.push([String(key.value), text.value]);
      else this.#text.fail(item.key, this.#field(name), 'must be a map of texts', 'put numbers, true and false in quotes');
    }
    return Object.fromEntries(entries);
  }

  /** Reports a field (the section itself when the name is empty). Returns undefined, so that it can end a read. */
  fail(name: string, message: string, hint?: string): undefined {
    const at = name === '' ? this.#map : (this.#keyOf(name) ?? this.#map);
    this.#text.fail(at, name === '' ? this.path : this.#field(name), message, hint);
    return undefined;
  }

  #items(name: string): readonly unknown[] {
    const value = this.#value(name);
    if (value === undefined) return [];
    if (isSeq(value)) return value.items;
    this.fail(name, 'must be a list');
    return [];
  }

  #field(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  #keyOf(name: string): unknown {
    return this.#map.items.find(({ key }) => isScalar(key) && key.value === name)?.key;
  }

  /** A field that is there but empty (`workloads:`) counts as absent. */
  #value(name: string): unknown {
    const value = this.#text.resolve(this.#map.get(name, true));
    return value === null || (isScalar(value) && value.value === null) ? undefined : value;
  }
}
