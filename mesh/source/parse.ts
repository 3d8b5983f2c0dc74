import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { type Entry, type Node, shorten } from '../admit/node.ts';

/** What cannot be read in a text; `line` counts from the text's first. */
export interface Problem {
  readonly line: number;
  readonly message: string;
  readonly hint: string | undefined;
}

export interface Parsed {
  readonly nodes: readonly Node[];
  readonly problems: readonly Problem[];
}

/** Values that one text may make; aliases that multiply (a "billion laughs") end here. */
const MOST_NODES = 500_000;
const DEEPEST = 100;
/** Characters of one document; the API server takes objects of 1.5 MiB, and a List holds several. */
const MOST_CHARACTERS = 4 * 1024 * 1024;

/** Parses YAML (of which JSON is a part) to trees with lines. A document with a problem gives no tree. */
export function parseText(text: string): Parsed {
  if (text.length > MOST_CHARACTERS) {
    const message = `has ${text.length} characters in one document, more than ${MOST_CHARACTERS}`;
    return { nodes: [], problems: [{ line: 1, message, hint: 'put a line "---" between objects' }] };
  }
  const lines = new LineCounter();
  let documents: readonly Document.Parsed[];
  try {
    const found = parseAllDocuments(text, { lineCounter: lines, merge: true, prettyErrors: false, stringKeys: false });
    documents = 'empty' in found ? [] : found;
  } catch (cause) {
    return {
      nodes: [],
      problems: [
        {
          line: 1,
          message: `cannot be read as YAML: ${cause instanceof Error ? cause.message : String(cause)}`,
          hint: 'is it nested too deep?',
        },
      ],
    };
  }
  const nodes: Node[] = [];
  const problems: Problem[] = [];
  for (const document of documents) {
    const [first] = document.errors;
    if (first !== undefined) {
      problems.push(problemOf(first, lines, text));
      continue;
    }
    const tree = new Builder(document, lines);
    const node = tree.build();
    if (tree.problem !== undefined) problems.push(tree.problem);
    else if (node !== undefined) nodes.push(node);
  }
  return { nodes, problems };
}

function problemOf(error: YAMLError, lines: LineCounter, text: string): Problem {
  const { line } = lines.linePos(error.pos[0]);
  const message = shorten((error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, ''));
  return { line, message, hint: hintOf(error, line, text) };
}

function hintOf(error: YAMLError, line: number, text: string): string | undefined {
  switch (error.code) {
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'BAD_INDENT':
      return listHint(line, text) ?? 'indent the lines of one mapping or list alike';
    case 'TAB_AS_INDENT':
      return 'indent with spaces, not tabs';
    case 'DUPLICATE_KEY':
      return 'keep one of the two';
    case 'MULTILINE_IMPLICIT_KEY':
    case 'MISSING_CHAR':
      return 'write "name: value", and quote text that holds ": "';
    default:
      return undefined;
  }
}

/** A list item that stands under a field which already began as a mapping: its first fields lack the "- ". */
function listHint(line: number, text: string): string | undefined {
  const rows = text.split('\n');
  const at = rows[line - 1]?.trim() === '' ? line : line - 1;
  for (const index of [at, at + 1, at - 1]) {
    const item = /^(\s*)- ([\w-]+):/.exec(rows[index] ?? '');
    if (item === null) continue;
    const indent = item[1]?.length ?? 0;
    for (let above = index - 1; above >= 0; above -= 1) {
      const parent = /^(\s*)([\w-]+):\s*(#.*)?$/.exec(rows[above] ?? '');
      if (parent === null || (parent[1]?.length ?? 0) !== indent) continue;
      const first = /^\s+([\w-]+):/.exec(rows[above + 1] ?? '');
      if (first === null) return undefined;
      const field = (item[2] ?? '').charAt(0).toLowerCase() + (item[2] ?? '').slice(1);
      return `${parent[2] ?? ''} is a list: begin its item with "- ${field}:" and indent ${first[1] ?? ''} beside ${field} as a field of the same item`;
    }
  }
  return undefined;
}

class Builder {
  problem: Problem | undefined;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  #left = MOST_NODES;

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  build(): Node | undefined {
    const { contents } = this.#document;
    return contents === null || (isScalar(contents) && contents.value === null) ? undefined : this.#node(contents, 1, 0);
  }

  #fail(line: number, message: string, hint?: string): Node {
    this.problem ??= { line, message, hint };
    return { kind: 'scalar', line, value: null };
  }

  #lineOf(value: unknown, fallback: number): number {
    const at = isScalar(value) || isMap(value) || isSeq(value) || isAlias(value) ? value.range?.[0] : undefined;
    return at === undefined ? fallback : this.#lines.linePos(at).line;
  }

  #node(value: unknown, above: number, depth: number): Node {
    const line = this.#lineOf(value, above);
    this.#left -= 1;
    if (this.#left < 0)
      return this.#fail(line, `makes more than ${MOST_NODES} values`, 'split the file, and use aliases sparingly');
    if (depth > DEEPEST) return this.#fail(line, `is nested deeper than ${DEEPEST} levels`);
    if (this.problem !== undefined || value === null || value === undefined) return { kind: 'scalar', line, value: null };
    if (isAlias(value)) return this.#node(this.#resolve(value), line, depth + 1);
    if (isMap(value)) return { kind: 'map', line, entries: this.#entries(value, line, depth) };
    if (isSeq(value)) return { kind: 'list', line, items: value.items.map((item) => this.#node(item, line, depth + 1)) };
    return isScalar(value) ? this.#scalar(value.value, line) : this.#fail(line, 'is no YAML value');
  }

  #resolve(alias: Alias): unknown {
    const found = alias.resolve(this.#document);
    if (found === undefined)
      this.#fail(
        this.#lineOf(alias, 1),
        `the alias *${shorten(alias.source)} has no anchor`,
        `mark the value with &${shorten(alias.source)}`,
      );
    return found;
  }

  #scalar(value: unknown, line: number): Node {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null)
      return { kind: 'scalar', line, value };
    if (typeof value === 'bigint') return { kind: 'scalar', line, value: Number(value) };
    if (value instanceof Date) return { kind: 'scalar', line, value: value.toISOString() };
    return this.#fail(line, 'is no plain value', 'remove the tag');
  }

  #entries(map: YAMLMap, line: number, depth: number): ReadonlyMap<string, Entry> {
    const found = new Map<string, Entry>();
    const merged: Node[] = [];
    for (const pair of map.items) {
      const merge = isScalar(pair.key) && typeof pair.key.value === 'symbol';
      const key: Node = merge
        ? { kind: 'scalar', line: this.#lineOf(pair.key, line), value: '<<' }
        : this.#node(pair.key, line, depth + 1);
      if (key.kind !== 'scalar') {
        this.#fail(key.line, 'a field name is a mapping or a list', 'write "name: value"; quote text that begins with { or [');
        break;
      }
      const value = this.#node(pair.value, key.line, depth + 1);
      if (merge) {
        merged.push(...(value.kind === 'list' ? value.items : [value]));
        continue;
      }
      const name = String(key.value);
      if (found.has(name)) this.#fail(key.line, `the field ${shorten(name)} is given twice`, 'keep one of the two');
      found.set(name, { line: key.line, value });
    }
    for (const source of merged) {
      if (source.kind !== 'map') this.#fail(source.line, 'only mappings can be merged with <<');
      else for (const [name, entry] of source.entries) if (!found.has(name)) found.set(name, entry);
    }
    return found;
  }
}
