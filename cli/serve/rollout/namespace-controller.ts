import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { NamespaceRollout } from '../../../mesh/model/namespace-rollout.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Evidence } from '../../../policy/rollout/evidence.ts';
import { decide, finished } from '../../../policy/rollout/machine.ts';
import { planOf } from '../../../policy/rollout/plan.ts';
import { initialState } from '../../../policy/rollout/state.ts';
import { statusOf } from '../../../policy/rollout/status-of.ts';
import type {
  Intent,
  OrderAnswer,
  RolloutObject,
  RolloutOrder,
  RolloutPlan,
  RolloutState,
  RolloutSurroundings,
} from '../../../policy/rollout/ports.ts';
import type { RolloutStatus, Transition } from '../../../policy/rollout/status.ts';
import type { Suggestion } from '../../../policy/suggest/suggestion.ts';
import { type Around, Gathering } from './gather.ts';

export interface NamespaceSurroundings extends Around, Pick<RolloutSurroundings, 'states' | 'objects' | 'isLeader' | 'onStatus'> {
  readonly suggest: (rollout: NamespaceRollout, snapshot: Snapshot, evidence: Evidence) => Suggestion;
  /** Told of each step once it is kept; must not throw. */
  readonly onTransition?: (namespace: string, transition: Transition) => void;
  readonly log: Logger;
}

const NOT_LEADER = 'another replica decides: ask again where it answers';

const WARN_EVERY_MS = 60_000;

/**
 * The rollout of one namespace. Owns its state: one step at a time, each kept as an intent before objects are touched and as done after, so
 * that whoever finds it later finishes it. What cannot be kept is not done; what is there stays.
 */
export class NamespaceController {
  readonly #around: NamespaceSurroundings;
  readonly #namespace: string;
  readonly #gathering: Gathering;
  #rollout: NamespaceRollout;
  /** Undefined: not loaded; null: none is kept. */
  #state: RolloutState | null | undefined;
  #status: RolloutStatus | undefined;
  /** What went wrong last, with what to do. */
  #problem: string | undefined;
  #told = '';
  #warnedAt = Number.NEGATIVE_INFINITY;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(rollout: NamespaceRollout, around: NamespaceSurroundings) {
    this.#rollout = rollout;
    this.#namespace = rollout.meta.namespace;
    this.#around = around;
    this.#gathering = new Gathering(this.#namespace, around);
  }

  get rollout(): NamespaceRollout {
    return this.#rollout;
  }

  set rollout(rollout: NamespaceRollout) {
    this.#rollout = rollout;
  }

  /** Whether denials count now. */
  get armed(): boolean {
    return this.#state?.armed !== undefined && this.#rollout.rollback.denials > 0;
  }

  /** At its target, and nothing is under way. */
  get resting(): boolean {
    return this.#problem === undefined && this.#state?.intent === undefined && this.#status?.next === undefined;
  }

  /** Others look less often: they only say how it is. */
  get decides(): boolean {
    return this.#leads();
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** As it was seen last. */
  get last(): RolloutStatus | undefined {
    return this.#status;
  }

  /** Looks at the evidence and does what is to be done. Never rejects. */
  tick(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#leads()) {
        // Whoever decides writes it; what was read here before is old.
        this.#state = undefined;
        await this.#read();
        return;
      }
      await this.#act(undefined);
    });
  }

  order(order: RolloutOrder): Promise<OrderAnswer> {
    return this.#inTurn(async () => {
      if (!this.#leads()) return { ok: false, error: NOT_LEADER, heldBy: [] };
      return this.#act(order);
    });
  }

  status(): Promise<RolloutStatus> {
    return this.#inTurn(async () => (await this.#read()).status);
  }

  plan(): Promise<RolloutPlan> {
    return this.#inTurn(async () => {
      const { state, evidence } = await this.#read();
      const dated = await this.#gathering.byDay(this.#rollout, state, evidence);
      const suggestion = this.#around.suggest(this.#rollout, this.#around.snapshot(), dated);
      const plan = planOf(this.#rollout, state, evidence, suggestion, evidence.at);
      const { next } = plan.status;
      // Enforced is what was dry-run; before that it is what would be suggested today.
      const fresh = next === 'dry-run' || (next === 'enforce' && state.suggestion === undefined);
      return { ...plan, notes: [...(fresh ? suggestion.uncovered.map((text) => `not let in: ${text}`) : []), ...plan.notes] };
    });
  }

  /** When what is under way has come to its end. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const mine = before.then(work, work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  /** The state as it is kept, or where nothing is (or it cannot be read) as objects say; nothing is done. */
  async #read(): Promise<{ readonly state: RolloutState; readonly evidence: Evidence; readonly status: RolloutStatus }> {
    const kept = await this.#load();
    const evidence = await this.#gathering.evidence(this.#rollout, kept ?? initialState(this.#namespace, this.#now()));
    const state =
      kept ?? decide({ state: undefined, rollout: this.#rollout, evidence, suggest: () => [], now: evidence.at }).state;
    return { state, evidence, status: this.#tell(state, evidence) };
  }

  async #load(): Promise<RolloutState | undefined> {
    if (this.#state !== undefined) return this.#state ?? undefined;
    try {
      this.#state = (await this.#around.states.load(this.#namespace)) ?? null;
      return this.#state ?? undefined;
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  async #act(order: RolloutOrder | undefined): Promise<OrderAnswer> {
    const kept = await this.#load();
    // A state that is there and cannot be read must not be begun anew.
    if (this.#state === undefined) {
      await this.#read();
      return { ok: false, error: this.#problem ?? 'the state cannot be read', heldBy: [] };
    }
    const rollout = this.#rollout;
    const evidence = await this.#gathering.evidence(rollout, kept ?? initialState(this.#namespace, this.#now()));
    // It may have been given to somebody else meanwhile.
    if (!this.#leads()) return { ok: false, error: NOT_LEADER, heldBy: [] };
    const decision = decide({
      state: kept,
      rollout,
      evidence,
      suggest: () => this.#around.suggest(rollout, this.#around.snapshot(), evidence).policies,
      now: evidence.at,
      ...(order === undefined ? {} : { order }),
    });
    this.#warn(decision.alerts);
    let state = decision.state;
    try {
      state = await this.#save(state, kept);
      if (state.intent !== undefined) state = await this.#carryOut(state, state.intent);
      else if (decision.desired !== undefined) state = await this.#repair(state, decision.desired);
      this.#worked();
    } catch (error) {
      this.#failed(error);
      const last = this.#state ?? decision.state;
      // Somebody else may decide by now: what is kept counts.
      this.#state = undefined;
      const { status } = await this.#seen(last);
      return order === undefined || decision.refusal !== undefined
        ? { ok: false, error: decision.refusal?.error ?? '', heldBy: status.heldBy }
        : { ok: false, error: this.#problem ?? 'it could not be done', heldBy: [] };
    }
    const { status } = state === decision.state ? { status: this.#tell(state, evidence) } : await this.#seen(state);
    if (decision.refusal !== undefined) return { ok: false, ...decision.refusal };
    return { ok: true, status };
  }

  async #seen(state: RolloutState): Promise<{ readonly status: RolloutStatus }> {
    return { status: this.#tell(state, await this.#gathering.evidence(this.#rollout, state)) };
  }

  /** Keeps a state where it differs from what is kept. */
  async #save(state: RolloutState, before: RolloutState | undefined): Promise<RolloutState> {
    const revision = before?.revision ?? 0;
    const next = { ...state, revision: revision + 1 };
    if (before !== undefined && isDeepStrictEqual(next, { ...before, revision: revision + 1 })) return before;
    try {
      await this.#around.states.save(next);
    } catch (error) {
      // Perhaps somebody else wrote: what is kept counts.
      this.#state = undefined;
      throw error;
    }
    this.#state = next;
    return next;
  }

  /** May be done again as often as it was broken off. Objects are written before policies of others are looked at: they are what is ours. */
  async #carryOut(state: RolloutState, intent: Intent): Promise<RolloutState> {
    const { objects, log } = this.#around;
    await objects.write(this.#rollout.meta.name, this.#namespace, intent.objects);
    const notSet = intent.dryRun.length === 0 ? [] : await objects.setDryRun(intent.dryRun);
    for (const { policy, reason } of notSet)
      log.error({ policy: `${policy.namespace}/${policy.name}`, reason }, 'a policy that denies could not be set to dry-run');
    const done = finished(state, this.#rollout, this.#now());
    const saved = await this.#save(withRemarks(done, notSet), state);
    const transition = saved.history.at(-1);
    if (transition !== undefined) {
      this.#log(transition);
      this.#around.onTransition?.(this.#namespace, transition);
    }
    return saved;
  }

  /** What is ours is as we wrote it: somebody's change of it is undone, and said. */
  async #repair(state: RolloutState, desired: readonly RolloutObject[]): Promise<RolloutState> {
    const { objects, log } = this.#around;
    const { name } = this.#rollout.meta;
    const drifted = await objects.drift(name, this.#namespace, desired);
    const same = isDeepStrictEqual(JSON.parse(JSON.stringify(state.objects)), JSON.parse(JSON.stringify(desired)));
    if (drifted.length > 0) {
      await objects.write(name, this.#namespace, desired);
      if (same)
        log.warn({ namespace: this.#namespace, objects: drifted }, "the rollout's objects were changed by hand: restored");
      else log.info({ namespace: this.#namespace, objects: drifted }, "the rollout's objects follow what has changed");
    }
    return same ? state : this.#save({ ...state, objects: desired, objectsSince: this.#now() }, state);
  }

  #tell(state: RolloutState, evidence: Evidence): RolloutStatus {
    const made = statusOf(this.#rollout, state, evidence, evidence.at);
    const status = this.#problem === undefined ? made : { ...made, heldBy: [this.#problem, ...made.heldBy] };
    this.#status = status;
    this.#around.onStatus?.(this.#rollout, status);
    return status;
  }

  #log({ from, to, cause, by, reason, number }: Transition): void {
    const { log } = this.#around;
    const about = { namespace: this.#namespace, from, to, cause, by, reason, number };
    if (cause === 'rollback-automatic') log.error(about, 'the rollout was taken back');
    else log.info(about, 'the rollout took a step');
  }

  /** Their counts grow from look to look, so they are told of now and then. */
  #warn(alerts: readonly string[]): void {
    if (alerts.length === 0 || performance.now() - this.#warnedAt < WARN_EVERY_MS) return;
    this.#warnedAt = performance.now();
    for (const alert of alerts) this.#around.log.warn({ namespace: this.#namespace }, alert);
  }

  #worked(): void {
    if (this.#problem !== undefined) this.#around.log.info({ namespace: this.#namespace }, 'the rollout goes on');
    this.#problem = undefined;
    this.#told = '';
  }

  /** Said once, as long as it is the same. */
  #failed(error: unknown): void {
    this.#problem = error instanceof Error ? error.message : String(error);
    if (this.#told === this.#problem) return;
    this.#told = this.#problem;
    this.#around.log.error(
      { namespace: this.#namespace, reason: this.#problem },
      'the rollout cannot go on; what is there stays',
    );
  }

  #leads(): boolean {
    return this.#around.isLeader(this.#namespace);
  }

  #now(): number {
    return this.#around.clock().getTime();
  }
}

/** What could not be done stands in the history with what was. */
function withRemarks(
  state: RolloutState,
  notSet: readonly { readonly policy: { readonly namespace: string; readonly name: string }; readonly reason: string }[],
): RolloutState {
  const last = state.history.at(-1);
  if (last === undefined || notSet.length === 0) return state;
  const remarks = notSet.map(
    ({ policy, reason }) => `AuthorizationPolicy ${policy.namespace}/${policy.name} could not be set to dry-run: ${reason}`,
  );
  return { ...state, history: [...state.history.slice(0, -1), { ...last, reason: [last.reason, ...remarks].join('; ') }] };
}
