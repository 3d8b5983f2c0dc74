import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ActionSchema, RBAC_Action } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { TypedExtensionConfigSchema } from '#gen/xds/core/v3/extension_pb.js';
import { type Matcher_OnMatch, Matcher_OnMatchSchema } from '#gen/xds/type/matcher/v3/matcher_pb.js';
import { keptBy } from '../../kept.ts';
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
  /** Lets the request through, in the name of the rule. */
  readonly granted: Matcher_OnMatch;
  readonly peers: readonly string[];
  /** What else must hold. */
  readonly guard: Guard;
}

/** Any other rule: all of it is a condition. */
export interface Listed {
  readonly kind: 'listed';
  readonly granted: Matcher_OnMatch;
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
    if (leaf.test !== 'peer') return undefined;
    return leaf.text.kind === 'exact' ? [leaf.text.value] : leaf.exactly;
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

function grant(name: string): Matcher_OnMatch {
  const action = create(ActionSchema, { name, action: RBAC_Action.ALLOW });
  const value = create(TypedExtensionConfigSchema, { name: 'rule', typedConfig: anyPack(ActionSchema, action) });
  return create(Matcher_OnMatchSchema, { onMatch: { case: 'action', value } });
}

/** A rule as an entry; undefined when a matcher cannot say exactly the same. */
export const entryOf = keptBy(({ name, source, operation }: CompiledRule): Entry | undefined => {
  const callers = callersOf(source);
  const guard = guardOf(all<SourceLeaf | OperationLeaf>([callers?.rest ?? source, operation]));
  if (guard === undefined) return undefined;
  const granted = grant(name);
  return callers === undefined ? { kind: 'listed', granted, guard } : { kind: 'keyed', granted, peers: callers.peers, guard };
});
