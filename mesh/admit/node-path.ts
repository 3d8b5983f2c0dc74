import type { Labels } from '../model/object.ts';
import type { Node } from './node.ts';

/** The node below a path of field names and list positions; undefined when there is none. */
export function nodeAt(node: Node | undefined, ...path: readonly (string | number)[]): Node | undefined {
  let found = node;
  for (const step of path) {
    if (found === undefined) return undefined;
    if (typeof step === 'number') found = found.kind === 'list' ? found.items[step] : undefined;
    else found = found.kind === 'map' ? found.entries.get(step)?.value : undefined;
  }
  return found?.kind === 'scalar' && found.value === null ? undefined : found;
}

/** Text below a path; empty when there is none. */
export function textAt(node: Node | undefined, ...path: readonly (string | number)[]): string {
  const found = nodeAt(node, ...path);
  return found?.kind === 'scalar' && typeof found.value === 'string' ? found.value : '';
}

export function numberAt(node: Node | undefined, ...path: readonly (string | number)[]): number | undefined {
  const found = nodeAt(node, ...path);
  return found?.kind === 'scalar' && typeof found.value === 'number' ? found.value : undefined;
}

/** The items of a list; none when there is no list. */
export function itemsAt(node: Node | undefined, ...path: readonly (string | number)[]): readonly Node[] {
  const found = nodeAt(node, ...path);
  return found?.kind === 'list' ? found.items : [];
}

export function textsAt(node: Node | undefined, ...path: readonly (string | number)[]): readonly string[] {
  return itemsAt(node, ...path).map((item) => textAt(item));
}

/** The entries of a mapping whose values are texts. */
export function labelsAt(node: Node | undefined, ...path: readonly (string | number)[]): Labels {
  const found = nodeAt(node, ...path);
  if (found?.kind !== 'map') return {};
  return Object.fromEntries([...found.entries].map(([name, { value }]) => [name, textAt(value)]));
}

const STEP = /\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/y;

/** The steps of a path as diagnostics write it: `spec.rules[0].when[1].values[0]`. */
export function stepsOf(path: string): readonly (string | number)[] {
  const steps: (string | number)[] = [];
  let at = 0;
  while (at < path.length) {
    if (path[at] === '.') at += 1;
    STEP.lastIndex = at;
    const found = STEP.exec(path);
    if (found === null) return steps;
    const [whole, index, quoted, name] = found;
    steps.push(index === undefined ? (quoted ?? name ?? '') : Number(index));
    at += whole.length;
  }
  return steps;
}

/** The line of the field that a path names, or of the nearest field above it that is there. */
export function lineAt(node: Node, path: string): number {
  let found = node;
  let { line } = node;
  for (const step of stepsOf(path)) {
    if (typeof step === 'number') {
      const item = found.kind === 'list' ? found.items[step] : undefined;
      if (item === undefined) return line;
      found = item;
      ({ line } = item);
    } else {
      const entry = found.kind === 'map' ? found.entries.get(step) : undefined;
      if (entry === undefined) return line;
      found = entry.value;
      ({ line } = entry);
    }
  }
  return line;
}
