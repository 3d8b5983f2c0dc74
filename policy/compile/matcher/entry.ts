import { all, type CompiledRule, type OperationLeaf, type SourceLeaf, type Tree } from '../test.ts';
import { type Predicate, predicateOf } from './predicate.ts';

/** What must hold, and a text that is the same for the same conditions. */
export interface Guard {
  readonly predicate: Predicate | 'always';
  readonly key: string;
}

/** A rule whose callers are a few known texts: they can be keys of a map. */
export interface Keyed {
  readonly kind: 'keyed';
  readonly name: string;
  readonly peers: readonly string[];
  /** What else must hold. */
  readonly guard: Guard;
}

/** Any other rule: all of it is a condition. */
export interface Listed {
  readonly kind: 'listed';
  readonly name: string;
  readonly guard: Guard;
}

export type Entry = Keyed | Listed;

function guardOf(tree: Tree<SourceLeaf | OperationLeaf>): Guard | undefined {
  const predicate = predicateOf(tree);
  return predicate === undefined ? undefined : { predicate, key: JSON.stringify(tree) };
}

function exactPeers(source: Tree<SourceLeaf>): readonly string[] | undefined {
  if (source.op === 'leaf') {
    const { leaf } = source;
    return leaf.test === 'peer' && leaf.text.kind === 'exact' ? [leaf.text.value] : undefined;
  }
  if (source.op !== 'any') return undefined;
  const found = source.of.map((part) => exactPeers(part));
  return found.some((peers) => peers === undefined) ? undefined : [...new Set(found.flatMap((peers) => peers ?? []))];
}

interface Callers {
  readonly peers: readonly string[];
  readonly rest: Tree<SourceLeaf>;
}

function callersOf(source: Tree<SourceLeaf>): Callers | undefined {
  const whole = exactPeers(source);
  if (whole !== undefined) return { peers: whole, rest: all([]) };
  if (source.op !== 'all') return undefined;
  for (const [index, part] of source.of.entries()) {
    const peers = exactPeers(part);
    if (peers !== undefined) return { peers, rest: all(source.of.filter((_, other) => other !== index)) };
  }
  return undefined;
}

/** A rule as an entry; undefined when a matcher cannot say exactly the same. */
export function entryOf({ name, source, operation }: CompiledRule): Entry | undefined {
  const callers = callersOf(source);
  const guard = guardOf(all<SourceLeaf | OperationLeaf>([callers?.rest ?? source, operation]));
  if (guard === undefined) return undefined;
  return callers === undefined ? { kind: 'listed', name, guard } : { kind: 'keyed', name, peers: callers.peers, guard };
}
