import type { AuthorizationPolicy } from '../mesh/model/authorization-policy.ts';
import { indexedBy } from '../mesh/model/indexed-by.ts';
import type { Labels } from '../mesh/model/object.ts';
import { GATEWAY_NAME_LABEL } from '../mesh/model/target-ref.ts';
import { SharedLists } from './shared-list.ts';

/** The policies of one namespace, by what a workload's labels must have for them. */
interface Index {
  readonly always: readonly number[];
  readonly byPair: ReadonlyMap<string, readonly number[]>;
  readonly policies: readonly AuthorizationPolicy[];
}

const lists = new SharedLists<AuthorizationPolicy>();

/** The same array for the same policies: what is compiled from it is kept by its identity. */
export function sharedPolicies(policies: readonly AuthorizationPolicy[]): readonly AuthorizationPolicy[] {
  return lists.shared(policies);
}

/** The policies of a namespace, in the order of all. Same array as under the snapshot before when none of them changed. */
export const ofNamespace = indexedBy<AuthorizationPolicy>(({ meta }) => [meta.namespace]);

const pairOf = (key: string, value: string): string => `${key}=${value}`;

/** The pairs of which a workload must have one. Empty: it may have any labels. */
function pairsOf({ selector, targetRefs }: AuthorizationPolicy, uses: ReadonlyMap<string, number>): readonly string[] {
  if (targetRefs.length > 0) return targetRefs.map(({ name }) => pairOf(GATEWAY_NAME_LABEL, name));
  // All pairs of a selector must be there, so one is enough to find it by: that which fewest others have.
  const pairs = Object.entries(selector).map(([key, value]) => pairOf(key, value));
  return pairs.sort((a, b) => (uses.get(a) ?? 0) - (uses.get(b) ?? 0)).slice(0, 1);
}

const indexes = new WeakMap<readonly AuthorizationPolicy[], Index>();

function indexOf(policies: readonly AuthorizationPolicy[]): Index {
  const known = indexes.get(policies);
  if (known !== undefined) return known;
  const uses = new Map<string, number>();
  for (const { selector } of policies)
    for (const [key, value] of Object.entries(selector)) uses.set(pairOf(key, value), (uses.get(pairOf(key, value)) ?? 0) + 1);
  const always: number[] = [];
  const byPair = new Map<string, number[]>();
  for (const [at, policy] of policies.entries()) {
    const pairs = pairsOf(policy, uses);
    if (pairs.length === 0) always.push(at);
    for (const pair of new Set(pairs)) {
      const list = byPair.get(pair);
      if (list === undefined) byPair.set(pair, [at]);
      else list.push(at);
    }
  }
  const index = { always, byPair, policies };
  indexes.set(policies, index);
  return index;
}

/** The policies of a namespace that may apply to a workload with these labels, in their order; others cannot. */
export function candidates(policies: readonly AuthorizationPolicy[], labels: Labels): readonly AuthorizationPolicy[] {
  const { always, byPair } = indexOf(policies);
  const found = new Set(always);
  for (const [key, value] of Object.entries(labels)) for (const at of byPair.get(pairOf(key, value)) ?? []) found.add(at);
  const order = found.size === always.length ? always : [...found].sort((a, b) => a - b);
  return order.flatMap((at) => policies[at] ?? []);
}
