import type { NamespaceRollout, Stage } from '../../mesh/model/namespace-rollout.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { ObservedCall } from '../observed/call.ts';
import { ADVICE } from '../preflight/plain-text.ts';
import type { CallerNote, Suggestion } from '../suggest/suggestion.ts';
import { entriesAbout, hasEnded } from './accepted.ts';
import type { Evidence } from './evidence.ts';
import { judgedSince } from './gates.ts';
import { isBefore, isOwn, objectName, type RolloutObject } from './objects.ts';
import { cutOffByStrict } from './plain-text.ts';
import { objectsFor } from './situation.ts';
import type { RolloutState } from './state.ts';
import type { RolloutStatus } from './status.ts';
import { statusOf } from './status-of.ts';
import { nextStep } from './step.ts';
import { callerText, instant } from './words.ts';

export interface CutOff {
  readonly caller: string;
  readonly destination: string;
  readonly port: number | undefined;
  readonly calls: number;
  readonly lastSeen: string;
  readonly why: string;
}

/** What the next stage would be. */
export interface RolloutPlan {
  readonly status: RolloutStatus;
  /** All objects of the next stage (of the present one where there is no next); to be committed where nothing is written. */
  readonly objects: readonly RolloutObject[];
  /** How they differ from what there is. */
  readonly changes: readonly { readonly change: 'create' | 'change' | 'delete'; readonly object: string }[];
  /** Callers that would be cut off, most calls first. */
  readonly cutOff: readonly CutOff[];
  /** To be known before: idle and rare callers, gateways that are opened, generalisations. */
  readonly notes: readonly string[];
}

export function planOf(
  rollout: NamespaceRollout,
  state: RolloutState,
  evidence: Evidence,
  suggestion: Suggestion,
  now: number,
): RolloutPlan {
  const next = nextStep(rollout, state);
  const stage: Stage = next === undefined || next.workloads !== undefined ? state.stage : next.to;
  const fresh = next?.to === 'dry-run' && next.workloads === undefined;
  const { gateways } = evidence.configured;
  const objects = objectsFor(
    { rollout, evidence },
    {
      stage,
      suggestion: fresh || state.suggestion === undefined ? suggestion.policies : state.suggestion,
      held: next?.held ?? state.held,
    },
  );
  const opened = isBefore(stage, 'dry-run') ? [] : [...gateways].sort();
  return {
    status: statusOf(rollout, state, evidence, now),
    objects,
    changes: changesOf(state.objects, objects),
    cutOff: cutOff(rollout, state, evidence, now),
    notes: [
      ...opened.map(
        (name) => `${rollout.meta.namespace}/${name} is a gateway: it stays open to whoever calls from outside of the mesh`,
      ),
      ...leftOpen(rollout, evidence),
      ...(fresh ? [...suggestion.notes.map(noteText), ...suggestion.generalisations] : []),
    ],
  };
}

/** As `shop/cart: rare: reports/weekly: seldom seen: ...; the last 2026-11-15T03:00:00Z`. */
function noteText({ kind, caller, destination, lastSeen, note }: CallerNote): string {
  return `${destination}: ${kind}: ${caller}: ${note}${lastSeen === 0 ? '' : `; the last ${instant(lastSeen)}`}`;
}

/** Ports on which somebody else's policy takes plain text: they stay as they are. */
function leftOpen(rollout: NamespaceRollout, { configured }: Evidence): readonly string[] {
  return configured.peerAuthentications
    .filter((policy) => policy.meta.namespace === rollout.meta.namespace && !isOwn(policy, rollout))
    .flatMap(({ meta, portLevel }) => {
      const ports = [...portLevel].filter(([, mode]) => mode === 'PERMISSIVE' || mode === 'DISABLE').map(([port]) => port);
      if (ports.length === 0) return [];
      return [`PeerAuthentication ${keyOf(meta)} takes plain text on port ${ports.join(', ')}: that stays, whatever the stage`];
    });
}

function changesOf(present: readonly RolloutObject[], wanted: readonly RolloutObject[]): RolloutPlan['changes'] {
  const before = new Map(present.map((object) => [objectName(object), JSON.stringify(object)]));
  const after = new Set(wanted.map(objectName));
  return [
    ...wanted.flatMap((object) => {
      const name = objectName(object);
      const known = before.get(name);
      if (known === JSON.stringify(object)) return [];
      return [{ change: known === undefined ? ('create' as const) : ('change' as const), object: name }];
    }),
    ...[...before.keys()].filter((name) => !after.has(name)).map((object) => ({ change: 'delete' as const, object })),
  ];
}

function cutOff(rollout: NamespaceRollout, state: RolloutState, evidence: Evidence, now: number): readonly CutOff[] {
  const next = nextStep(rollout, state);
  if (next === undefined || next.to === 'dry-run') return [];
  const since = judgedSince(rollout, state, next.to, now);
  const kind = next.to === 'strict' ? 'plain-text' : 'denied';
  const about = entriesAbout(rollout.accepted.filter((entry) => entry.kind === kind && !hasEnded(entry, now)));
  const concerned = ({ destination, lastSeen }: ObservedCall): boolean => {
    const name = destination.split('/')[1] ?? '';
    const at = next.held[name];
    return lastSeen >= since && (next.workloads?.has(name) ?? true) && (at === undefined || !isBefore(at, next.to));
  };
  const found =
    next.to === 'strict'
      ? cutOffByStrict(rollout, next, evidence.configured, evidence.calls.filter(concerned)).calls.map(({ call, kind }) => ({
          call,
          why: kind === 'unknown' ? 'calls in plain text' : `calls in plain text; ${ADVICE[kind]}`,
        }))
      : evidence.wouldBeDenied.map(({ call, policy }) => ({
          call,
          why: policy === undefined ? 'no ALLOW policy lets it in' : `${policy} denies it`,
        }));
  return found
    .filter(({ call }) => concerned(call))
    .map(({ call, why }) => {
      const [entry] = about(call);
      return {
        caller: callerText(call),
        destination: call.destination,
        port: call.port,
        calls: call.count,
        lastSeen: instant(call.lastSeen),
        why: entry === undefined ? why : `${why}; accepted by ${entry.owner} until ${instant(entry.until)}`,
      };
    })
    .sort((one, other) => other.calls - one.calls || (one.caller < other.caller ? -1 : 1));
}
