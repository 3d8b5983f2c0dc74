import { closest } from './closest.ts';
import { describe, type Node, shorten } from './node.ts';
import type { Report } from './report.ts';

/**
 * One field of an object being read, present or not. Readers take a Field and give a value; what is wrong goes to the
 * report with the line of that very field, and the reader gives a neutral value: the object is then refused as a whole.
 */
export class Field {
  /** Undefined when the field is absent or null, which Kubernetes reads as the same. */
  readonly node: Node | undefined;
  readonly path: string;
  readonly line: number;
  readonly report: Report;

  constructor(node: Node | undefined, path: string, line: number, report: Report) {
    this.node = node?.kind === 'scalar' && node.value === null ? undefined : node;
    this.path = path;
    this.line = line;
    this.report = report;
  }

  get given(): boolean {
    return this.node !== undefined;
  }

  error(code: string, message: string, hint?: string): void {
    this.report.add('error', this.line, this.path, code, message, hint);
  }

  warning(code: string, message: string, hint?: string): void {
    this.report.add('warning', this.line, this.path, code, message, hint);
  }

  wrongType(wanted: string, hint?: string): void {
    this.error('wrong-type', `must be ${wanted}, not ${this.node === undefined ? 'nothing' : describe(this.node)}`, hint);
  }
}

/** `strict`: a field that is not known is an error (Istio kinds). `tolerant`: it is ignored (Kubernetes kinds, of which we read a part). */
export type Strictness = 'strict' | 'tolerant';

/** The named fields of a mapping; all absent when the field is absent or no mapping (then reported). */
export function fieldsOf<K extends string>(
  field: Field,
  known: readonly K[],
  strictness: Strictness = 'strict',
): Record<K, Field> {
  const { node, report } = field;
  if (node !== undefined && node.kind !== 'map')
    field.wrongType('a mapping', `give ${field.path} fields: ${known.slice(0, 6).join(', ')}`);
  const entries = node?.kind === 'map' ? node.entries : undefined;
  if (entries !== undefined && strictness === 'strict') {
    const names: ReadonlySet<string> = new Set(known);
    for (const [name, entry] of entries) {
      if (names.has(name)) continue;
      const near = closest(name, known);
      report.add(
        'error',
        entry.line,
        join(field.path, name),
        'unknown-field',
        `unknown field "${shorten(name)}"`,
        near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near}?`,
      );
    }
  }
  const entryOf = (name: K): Field => {
    const entry = entries?.get(name);
    return new Field(entry?.value, join(field.path, name), entry?.line ?? field.line, report);
  };
  // One property for each of `known`, which is what Record<K, Field> says.
  return Object.fromEntries(known.map((name) => [name, entryOf(name)])) as Record<K, Field>;
}

/** The entries of a mapping with free keys, in the order written. */
export function entriesOf(field: Field): readonly (readonly [string, Field])[] {
  const { node, report } = field;
  if (node === undefined) return [];
  if (node.kind !== 'map') {
    field.wrongType('a mapping', `write "name: value" lines below ${field.path}`);
    return [];
  }
  return [...node.entries].map(
    ([name, entry]) => [name, new Field(entry.value, join(field.path, name), entry.line, report)] as const,
  );
}

/** The items of a list; a null item is an error, since it says nothing that could be honoured. */
export function itemsOf(field: Field): readonly Field[] {
  const { node, report } = field;
  if (node === undefined) return [];
  if (node.kind !== 'list') {
    field.wrongType('a list', `start each item with "- "`);
    return [];
  }
  return node.items.map((item, at) => {
    const found = new Field(item, `${field.path}[${at}]`, item.line, report);
    if (!found.given) found.error('wrong-type', 'an item of this list is empty', 'fill it in or remove its "-"');
    return found;
  });
}

function join(path: string, name: string): string {
  const simple = /^[A-Za-z_][\w-]*$/.test(name);
  if (!simple) return `${path}["${shorten(name)}"]`;
  return path === '' ? name : `${path}.${name}`;
}
