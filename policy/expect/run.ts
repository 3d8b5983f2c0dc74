import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type Verdict, evaluate } from '../evaluate/evaluate.ts';
import type { Case } from './expand.ts';

export interface Result {
  readonly case: Case;
  readonly verdict: Verdict;
  /** What is not as expected, in words; undefined: nothing. */
  readonly wrong: string | undefined;
}

function outcome(decision: string, policy: string | undefined, rule: number | undefined): string {
  const by = policy === undefined ? '' : ` by ${policy}`;
  return `${decision}${by}${rule === undefined ? '' : ` rule ${rule}`}`;
}

export function runCase(snapshot: Snapshot, one: Case): Result {
  const verdict = evaluate(snapshot, one.request);
  const { decision, policy, rule } = verdict;
  const right =
    decision === one.expect && (one.by === undefined || one.by === policy) && (one.rule === undefined || one.rule === rule);
  const wrong = right ? undefined : `expected ${outcome(one.expect, one.by, one.rule)}, got ${outcome(decision, policy, rule)}`;
  return { case: one, verdict, wrong };
}
