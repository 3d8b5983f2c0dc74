import { type Matcher } from '#gen/xds/type/matcher/v3/matcher_pb.js';
import type { CompiledRule } from '../test.ts';
import { alone, conditionFirst, listOf, peerFirst, type Plan } from './by-peer.ts';
import { type Entry, entryOf, type Keyed } from './entry.ts';

/** With fewer rules the plain form costs Envoy no more. */
const FEWEST_RULES = 8;

/** What one expression over many callers costs, in rules of one caller. */
const EXPRESSION = 16;

/** Up to so many callers are compared as texts. */
const FEW_CALLERS = 4;

/** At most one condition for so many rules: else the plain form is as good. */
const RULES_PER_STEP = 2;

/** Envoy walks RBAC rules in the byte order of their names. */
function inOrder(rules: readonly CompiledRule[]): readonly CompiledRule[] {
  return rules.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

function planOf(run: readonly Keyed[]): Plan {
  const [byPeer, byCondition] = [peerFirst(run), conditionFirst(run)];
  // A condition that many share is written once, and a caller with many conditions has a short way.
  return byCondition !== undefined && byCondition.steps <= Math.max(byPeer.steps, 2) ? byCondition : byPeer;
}

/**
 * Rules that grant as a tree of exact maps, in which the caller is looked up, however many rules there are. It lets through
 * whom the rules let through, in the name of the same rule: the first in their order. Undefined when it cannot say exactly
 * the same, or would be no cheaper. Only for rules that grant: what a map misses is denied.
 */
export function asMatcher(rules: readonly CompiledRule[]): Matcher | undefined {
  const parts: (Plan | Entry)[] = [];
  let run: Keyed[] = [];
  let plainCost = 0;
  const endRun = (): void => {
    if (run.length > 0) parts.push(planOf(run));
    run = [];
  };
  for (const rule of inOrder(rules)) {
    const entry = entryOf(rule);
    if (entry === undefined) return undefined;
    // A rule without a caller is guarded, so this one would be none of ours.
    if (entry.kind === 'listed' && entry.guard.predicate === 'always') return undefined;
    plainCost += entry.kind === 'keyed' && entry.peers.length > FEW_CALLERS ? EXPRESSION : 1;
    if (entry.kind === 'keyed') run.push(entry);
    else {
      endRun();
      parts.push(entry);
    }
  }
  endRun();
  let steps = 0;
  for (const part of parts) steps += 'steps' in part ? part.steps + 1 : 1;
  if (plainCost < FEWEST_RULES || steps * RULES_PER_STEP > plainCost) return undefined;
  const fields = parts.flatMap((part) => {
    if ('steps' in part) return part.fields();
    return part.guard.predicate === 'always' ? [] : [alone(part.granted, part.guard.predicate)];
  });
  return listOf(fields);
}
