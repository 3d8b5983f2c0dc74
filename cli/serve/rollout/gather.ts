import type { NamespaceRollout } from '../../../mesh/model/namespace-rollout.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { configuredIn } from '../../../policy/rollout/configured.ts';
import type { Configured, Evidence } from '../../../policy/rollout/evidence.ts';
import { judgedSince, windowOf } from '../../../policy/rollout/gates.ts';
import { objectName } from '../../../policy/rollout/objects.ts';
import type { RecordedCalls, RolloutState, RolloutSurroundings } from '../../../policy/rollout/ports.ts';
import { nextStep } from '../../../policy/rollout/step.ts';
import { ClockJumps } from './clock-jumps.ts';
import { deniedOnce } from './denials.ts';
import type { JudgeCalls } from './judged.ts';

const MINUTE_MS = 60_000;
/** Calls of long ago are asked for anew only so often. */
const EARLY_MS = 30_000;

export type Around = Pick<RolloutSurroundings, 'snapshot' | 'evidence' | 'proxies' | 'isRevoked' | 'clock'> & {
  /** Denied calls that are perhaps not in the store yet. */
  readonly live: (namespace: string, since: number) => readonly ObservedCall[];
  readonly judge: JudgeCalls;
  /** Goes on evenly, whatever the clock is set to (ms). */
  readonly elapsed?: () => number;
};

/** Evidence for one namespace, with what is remembered from one time to the next. */
export class Gathering {
  readonly #around: Around;
  readonly #namespace: string;
  #configured: Configured | undefined;
  #calls: RecordedCalls | undefined;
  #early: { readonly cut: number; readonly at: number; readonly recorded: RecordedCalls } | undefined;
  readonly #jumps: ClockJumps;

  constructor(namespace: string, around: Around) {
    this.#namespace = namespace;
    this.#around = around;
    this.#jumps = new ClockJumps(around.elapsed ?? (() => performance.now()));
  }

  /** Never rejects: what cannot be asked is a doubt, and doubt holds. */
  async evidence(rollout: NamespaceRollout, state: RolloutState): Promise<Evidence> {
    const { clock, evidence, proxies, isRevoked } = this.#around;
    const at = clock().getTime();
    const snapshot = this.#around.snapshot();
    const configured = this.configured(snapshot, at);
    const next = nextStep(rollout, state);
    const judged = next === undefined ? at : judgedSince(rollout, state, next.to, at);
    const { recorded, unreachable } = await this.#recorded(windowOf(rollout, state, at), judged, at);
    const since = state.armed?.since;
    const stored = since === undefined || unreachable !== undefined ? [] : await this.#denied(since);
    const denied = since === undefined ? [] : deniedOnce(this.#around.live(this.#namespace, since), stored, since);
    const seen = await proxies.seen(this.#namespace, state.objects.map(objectName)).catch((error: unknown) => ({
      expected: 1,
      connected: 0,
      acked: 0,
      behind: [`proxies cannot be asked about: ${error instanceof Error ? error.message : String(error)}`],
    }));
    const judgement =
      next?.to === 'enforce'
        ? this.#around.judge(
            snapshot,
            recorded.calls.filter(({ lastSeen }) => lastSeen >= judged),
            configured,
            state.objectsSince,
          )
        : { wouldBeDenied: [], disagreements: [] };
    return {
      at,
      record: {
        recordedSince: recorded.recordedSince,
        gaps: [...recorded.gaps, ...this.#jumps.seen(at)],
        losses: recorded.losses,
        incomplete: unreachable ?? evidence.incomplete(),
      },
      calls: recorded.calls,
      ...judgement,
      deniedSince: denied.map((call) => ({
        call,
        policy: call.by?.policy,
        revoked: call.principal !== undefined && isRevoked(call.principal),
      })),
      proxies: seen,
      configured,
    };
  }

  /** The same evidence with on how many days there were calls, where a plan tells of it; as it was where the store cannot be asked. */
  async byDay(rollout: NamespaceRollout, state: RolloutState, evidence: Evidence): Promise<Evidence> {
    if (nextStep(rollout, state)?.to !== 'dry-run') return evidence;
    const period = { since: windowOf(rollout, state, evidence.at), until: evidence.at + MINUTE_MS };
    try {
      return { ...evidence, calls: (await this.#around.evidence.callsByDay(this.#namespace, period)).calls };
    } catch {
      return evidence;
    }
  }

  /** The same as long as nothing of it changed, so that it is known since when. */
  configured(snapshot: Snapshot, now: number): Configured {
    const made = configuredIn(snapshot, this.#namespace, now);
    const before = this.#configured;
    const same =
      before !== undefined &&
      sameList(before.authorizationPolicies, made.authorizationPolicies) &&
      sameList(before.peerAuthentications, made.peerAuthentications) &&
      sameList(before.requestAuthentications, made.requestAuthentications);
    this.#configured = same ? { ...made, since: before.since } : made;
    return this.#configured;
  }

  /** What was known last counts on where the store cannot be asked, so that a rollback still knows who was let through. */
  async #recorded(
    since: number,
    judged: number,
    until: number,
  ): Promise<{ readonly recorded: RecordedCalls; readonly unreachable: string | undefined }> {
    const { evidence } = this.#around;
    // Calls are added up over what is asked for: what is counted since a time is asked for from that time on.
    const cut = Math.max(since, Math.floor(judged / MINUTE_MS) * MINUTE_MS);
    try {
      const late = await evidence.calls(this.#namespace, { since: cut, until: until + MINUTE_MS });
      const early = cut > since ? await this.#before(since, cut) : undefined;
      this.#calls =
        early === undefined
          ? late
          : {
              calls: [...early.calls, ...late.calls],
              gaps: [...early.gaps, ...late.gaps],
              losses: [...early.losses, ...late.losses],
              recordedSince: late.recordedSince,
            };
      return { recorded: this.#calls, unreachable: undefined };
    } catch (error) {
      return {
        recorded: this.#calls ?? { calls: [], gaps: [], losses: [], recordedSince: undefined },
        unreachable: `the audit store cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  }

  async #before(since: number, cut: number): Promise<RecordedCalls> {
    const now = performance.now();
    if (this.#early?.cut === cut && now - this.#early.at < EARLY_MS) return this.#early.recorded;
    const recorded = await this.#around.evidence.calls(this.#namespace, { since, until: cut });
    this.#early = { cut, at: now, recorded };
    return recorded;
  }

  #denied(since: number): Promise<readonly ObservedCall[]> {
    return this.#around.evidence.denied(this.#namespace, since).catch(() => []);
  }
}

function sameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((object, index) => object === other[index]);
}
