import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Destination } from '../access/world.ts';
import type { ObservedCall, WouldDeny } from '../observed/call.ts';
import { judge } from '../observed/judge.ts';
import type { Judgement } from '../observed/judgement.ts';
import { policiesFor } from '../select.ts';
import { asEnforced } from './as-enforced.ts';

type Says = 'ALLOW' | 'DENY';

/** A call that was let through, as both readings judge it under the policies that are dry runs today. */
export interface DryRunCall {
  readonly call: ObservedCall;
  /** What the proxy's shadow rules said when it was seen last; undefined: they had not been asked. */
  readonly shadow: Says | undefined;
  /** What the evaluator says of the record; undefined: the record has not all that it asks for. */
  readonly evaluator: Says | undefined;
  readonly judgement: Judgement;
  /** Of the shadow rules. */
  readonly wouldDeny: readonly WouldDeny[];
}

export interface WouldBeDenied extends DryRunCall {
  /** `NAMESPACE/NAME` of the DENY policy; undefined: no rule of an ALLOW policy matches. */
  readonly policy: string | undefined;
  readonly rule: number | undefined;
  /** In words. */
  readonly why: string;
}

export interface DryRun {
  /** Would be refused, as the proxy or the evaluator says: doubt counts as refusal. Most calls first. */
  readonly wouldBeDenied: readonly WouldBeDenied[];
  /** Both were asked, and say otherwise: one of them is wrong, or the configuration was not the one that is given. */
  readonly disagreements: readonly (DryRunCall & { readonly shadow: Says; readonly evaluator: Says })[];
  /** Calls that only the proxy could judge. */
  readonly shadowOnly: readonly DryRunCall[];
  /** Calls that nobody has judged: the record lacks something, and no shadow rule was asked. */
  readonly undecided: readonly DryRunCall[];
  /** Numbers of calls on which both agree. */
  readonly agreed: { readonly allowed: number; readonly denied: number };
}

/** A proxy's shadow rules are asked from when the proxy has them; so long after they were written nothing is held against them. */
const SETTLING_MS = 60_000;

/** All that tells calls apart but what shadow rules said of them. */
function kindOf({ principal, address, destination, service, port, protocol, method, path, mtls }: ObservedCall): string {
  return JSON.stringify([principal, address, destination, service, port, protocol, method, path, mtls]);
}

/** Calls alike with what the proxy said of the last of them. */
function latest(calls: Iterable<ObservedCall>): readonly ObservedCall[] {
  const found = new Map<string, ObservedCall>();
  for (const call of calls) {
    if (call.decision !== 'ALLOW') continue;
    const kind = kindOf(call);
    const known = found.get(kind);
    if (known === undefined) {
      found.set(kind, call);
      continue;
    }
    const [newer, older] = call.lastSeen >= known.lastSeen ? [call, known] : [known, call];
    // Beside each other, not one after the other: a header makes the difference, or a token, and some were refused.
    const beside = older.lastSeen > newer.firstSeen;
    const wouldDeny = newer.wouldDeny.length > 0 || !beside ? newer.wouldDeny : older.wouldDeny;
    found.set(kind, {
      ...newer,
      wouldDeny,
      count: newer.count + older.count,
      firstSeen: Math.min(newer.firstSeen, older.firstSeen),
    });
  }
  return [...found.values()];
}

function ruleOf(by: string): { readonly policy: string | undefined; readonly rule: number | undefined } {
  const [policy, rule] = by.split(' rule ');
  return { policy: policy === '' ? undefined : policy, rule: rule === undefined ? undefined : Number(rule) };
}

function denialOf(one: DryRunCall): WouldBeDenied {
  const { judgement, wouldDeny } = one;
  const [marked] = wouldDeny;
  if (judgement.kind === 'not-granted') {
    const by = judgement.cause === 'denied' ? ruleOf(judgement.by) : { policy: undefined, rule: undefined };
    return {
      ...one,
      ...by,
      // Words are found when somebody reads them.
      get why() {
        return judgement.why;
      },
    };
  }
  const said = marked?.policy === undefined ? 'no rule of an ALLOW policy would allow it' : `${marked.policy} would deny it`;
  return { ...one, policy: marked?.policy, rule: marked?.rule, why: `the proxy says that ${said}` };
}

/**
 * What enforcement of the policies that are dry runs today would do to calls that were let through, ALLOW, DENY and CUSTOM together: as the
 * proxies' shadow rules said when the calls came, and as the evaluator says of the records, compared with each other. Pure.
 *
 * @param since since when the dry runs are as they are (ms since the epoch); undefined: before all of the calls
 */
export function dryRun(
  snapshot: Snapshot,
  destinations: ReadonlyMap<string, Destination>,
  calls: Iterable<ObservedCall>,
  since?: number,
): DryRun {
  const today = judge(snapshot, destinations);
  const then = judge(asEnforced(snapshot), destinations);
  const dry = new Map<string, boolean>();
  const hasDryRuns = (name: string): boolean => {
    const known = dry.get(name);
    if (known !== undefined) return known;
    const destination = destinations.get(name);
    const made = destination !== undefined && policiesFor(snapshot, destination).some((policy) => policy.dryRun);
    dry.set(name, made);
    return made;
  };
  const wouldBeDenied: WouldBeDenied[] = [];
  const disagreements: (DryRunCall & { readonly shadow: Says; readonly evaluator: Says })[] = [];
  const shadowOnly: DryRunCall[] = [];
  const undecided: DryRunCall[] = [];
  const agreed = { allowed: 0, denied: 0 };
  for (const call of latest(calls)) {
    const marked = call.wouldDeny.length > 0;
    if (!hasDryRuns(call.destination) && !marked) continue;
    const judgement = then(call, today.given(call));
    const evaluator = judgement.kind === 'granted' ? 'ALLOW' : judgement.kind === 'not-granted' ? 'DENY' : undefined;
    const asked = marked || since === undefined || call.lastSeen >= since + SETTLING_MS;
    const shadow = marked ? 'DENY' : asked ? 'ALLOW' : undefined;
    const one = { call, shadow, evaluator, judgement, wouldDeny: call.wouldDeny } as const;
    if (marked || evaluator === 'DENY') wouldBeDenied.push(denialOf(one));
    if (evaluator === undefined) (shadow === undefined ? undecided : shadowOnly).push(one);
    else if (shadow !== undefined) {
      if (shadow !== evaluator) disagreements.push({ ...one, shadow, evaluator });
      else if (shadow === 'DENY') agreed.denied += call.count;
      else agreed.allowed += call.count;
    }
  }
  const mostFirst = (a: DryRunCall, b: DryRunCall): number => b.call.count - a.call.count || b.call.lastSeen - a.call.lastSeen;
  return {
    wouldBeDenied: wouldBeDenied.sort(mostFirst),
    disagreements: disagreements.sort(mostFirst),
    shadowOnly: shadowOnly.sort(mostFirst),
    undecided: undecided.sort(mostFirst),
    agreed,
  };
}
