import { create } from '@bufbuild/protobuf';
import {
  type Matcher,
  type Matcher_MatcherList_FieldMatcher,
  Matcher_MatcherList_FieldMatcherSchema,
  type Matcher_OnMatch,
  Matcher_OnMatchSchema,
  MatcherSchema,
} from '#gen/xds/type/matcher/v3/matcher_pb.js';
import type { Guard, Keyed } from './entry.ts';
import { anyPeer, type Predicate, peerInput } from './predicate.ts';

type Field = Matcher_MatcherList_FieldMatcher;

function nested(value: Matcher): Matcher_OnMatch {
  return create(Matcher_OnMatchSchema, { onMatch: { case: 'matcher', value } });
}

function field(predicate: Predicate, onMatch: Matcher_OnMatch): Field {
  return create(Matcher_MatcherList_FieldMatcherSchema, { predicate, onMatch });
}

export function listOf(matchers: readonly Field[]): Matcher {
  return create(MatcherSchema, { matcherType: { case: 'matcherList', value: { matchers: [...matchers] } } });
}

function mapOf(entries: ReadonlyMap<string, Matcher_OnMatch>): Matcher {
  const map = Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
  return create(MatcherSchema, {
    matcherType: { case: 'matcherTree', value: { input: peerInput(), treeType: { case: 'exactMatchMap', value: { map } } } },
  });
}

/** One condition, and the first rule with it for each caller. */
interface Group {
  readonly guard: Guard;
  readonly rules: Map<string, Matcher_OnMatch>;
}

/** What some rules come to: how many conditions a request meets at most, and the entries of a list that say it. */
export interface Plan {
  readonly steps: number;
  readonly fields: () => readonly Field[];
}

/** For each caller, its conditions in the order of their rules; a second rule with the same condition is never reached. */
function conditionsByPeer(rules: readonly Keyed[]): ReadonlyMap<string, ReadonlyMap<string, Keyed>> {
  const byPeer = new Map<string, Map<string, Keyed>>();
  for (const rule of rules) {
    for (const peer of rule.peers) {
      const own = byPeer.get(peer) ?? new Map<string, Keyed>();
      byPeer.set(peer, own);
      // Nothing behind a rule without a condition is reached either.
      if (!own.has(rule.guard.key) && [...own.values()].at(-1)?.guard.predicate !== 'always') own.set(rule.guard.key, rule);
    }
  }
  return byPeer;
}

/** The caller first: a map whose values are the rules of each. A rule is written once for each of its callers. */
export function peerFirst(rules: readonly Keyed[]): Plan {
  const byPeer = conditionsByPeer(rules);
  return {
    steps: Math.max(...[...byPeer.values()].map((own) => own.size)),
    fields() {
      const entries = new Map<string, Matcher_OnMatch>();
      for (const [peer, own] of byPeer) {
        const fields: Field[] = [];
        for (const { granted, guard } of own.values()) {
          if (guard.predicate === 'always') {
            entries.set(
              peer,
              fields.length === 0 ? granted : nested(create(MatcherSchema, { ...listOf(fields), onNoMatch: granted })),
            );
            break;
          }
          fields.push(field(guard.predicate, granted));
        }
        if (!entries.has(peer)) entries.set(peer, nested(listOf(fields)));
      }
      return [field(anyPeer(), nested(mapOf(entries)))];
    },
  };
}

/**
 * The condition first: for each, a map from caller to rule. Undefined when no order of the conditions names for every caller the
 * rule that comes first of those that let it through.
 */
export function conditionFirst(rules: readonly Keyed[]): Plan | undefined {
  const groups = new Map<string, Group>();
  const before = new Map<string, Set<string>>();
  for (const [peer, own] of conditionsByPeer(rules)) {
    let previous: string | undefined;
    for (const [key, { granted, guard }] of own) {
      const group = groups.get(key) ?? { guard, rules: new Map<string, Matcher_OnMatch>() };
      groups.set(key, group);
      group.rules.set(peer, granted);
      const earlier = before.get(key) ?? new Set<string>();
      before.set(key, earlier);
      if (previous !== undefined) earlier.add(previous);
      previous = key;
    }
  }
  const order = sorted(groups, before);
  if (order === undefined) return undefined;
  return {
    steps: order.length,
    fields: () =>
      order.map(({ guard, rules: named }) =>
        field(guard.predicate === 'always' ? anyPeer() : guard.predicate, nested(mapOf(named))),
      ),
  };
}

/** The groups so that each comes after those that must be before it. */
function sorted(
  groups: ReadonlyMap<string, Group>,
  before: ReadonlyMap<string, ReadonlySet<string>>,
): readonly Group[] | undefined {
  const done = new Set<string>();
  const order: Group[] = [];
  for (let found = true; found;) {
    found = false;
    for (const [key, group] of groups) {
      if (done.has(key) || ![...(before.get(key) ?? [])].every((earlier) => done.has(earlier))) continue;
      done.add(key);
      order.push(group);
      found = true;
    }
  }
  return order.length === groups.size ? order : undefined;
}

/** A rule on its own: all of it is a condition. */
export function alone(granted: Matcher_OnMatch, predicate: Predicate): Field {
  return field(predicate, granted);
}
