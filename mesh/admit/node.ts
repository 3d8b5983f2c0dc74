/** The source of a mapping's entry: where its key stands, and its value. */
export interface Entry {
  readonly line: number;
  readonly value: Node;
}

/**
 * Input as a tree of plain values that knows its lines; admission reads nothing else, so that a file, an API server and a
 * webhook request are admitted by the same code. `line` counts from 1.
 */
export type Node =
  | { readonly kind: 'map'; readonly line: number; readonly entries: ReadonlyMap<string, Entry> }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly Node[] }
  | { readonly kind: 'scalar'; readonly line: number; readonly value: string | number | boolean | null };

/** What a value is, in the words of diagnostics. */
export function describe(node: Node): string {
  switch (node.kind) {
    case 'map':
      return 'a mapping';
    case 'list':
      return 'a list';
    case 'scalar':
      if (node.value === null) return 'nothing';
      if (typeof node.value === 'string') return `the text "${shorten(node.value)}"`;
      return typeof node.value === 'number' ? `the number ${String(node.value)}` : `the boolean ${String(node.value)}`;
  }
}

/** Untrusted text as diagnostics quote it: one line, 80 characters at most. */
export function shorten(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, '?');
  return plain.length > 80 ? `${plain.slice(0, 77)}...` : plain;
}

/** The tree of a value that came without positions (JSON from an API); every line is `line`. */
export function nodeOf(value: unknown, line: number): Node {
  if (Array.isArray(value)) return { kind: 'list', line, items: value.map((item) => nodeOf(item, line)) };
  if (typeof value === 'object' && value !== null) {
    const entries = new Map<string, Entry>();
    for (const [key, inner] of Object.entries(value)) {
      if (inner !== undefined) entries.set(key, { line, value: nodeOf(inner, line) });
    }
    return { kind: 'map', line, entries };
  }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return { kind: 'scalar', line, value };
  return { kind: 'scalar', line, value: null };
}

/** True when two trees say the same, wherever they stand. */
export function sameContent(one: Node, other: Node): boolean {
  if (one === other) return true;
  switch (one.kind) {
    case 'scalar':
      return other.kind === 'scalar' && one.value === other.value;
    case 'list':
      return (
        other.kind === 'list' &&
        one.items.length === other.items.length &&
        one.items.every((item, at) => sameContent(item, other.items[at] ?? item))
      );
    case 'map':
      if (other.kind !== 'map' || one.entries.size !== other.entries.size) return false;
      for (const [name, { value }] of one.entries) {
        const opposite = other.entries.get(name);
        if (opposite === undefined || !sameContent(value, opposite.value)) return false;
      }
      return true;
  }
  return one satisfies never;
}

/** The plain value that a tree stands for. */
export function valueOf(node: Node): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(valueOf);
    case 'map':
      return Object.fromEntries([...node.entries].map(([name, { value }]) => [name, valueOf(value)]));
  }
  return node satisfies never;
}
