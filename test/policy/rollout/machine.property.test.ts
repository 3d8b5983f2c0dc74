import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  type AdvanceMode,
  type NamespaceRollout,
  type Stage,
  STAGES,
  type WorkloadException,
} from '../../../mesh/model/namespace-rollout.ts';
import type { Evidence } from '../../../policy/rollout/evidence.ts';
import { decide, finished, type RolloutOrder } from '../../../policy/rollout/machine.ts';
import { isBefore, objectName, type RolloutObject } from '../../../policy/rollout/objects.ts';
import type { RolloutState } from '../../../policy/rollout/state.ts';
import type { Transition } from '../../../policy/rollout/status.ts';
import { statusOf } from '../../../policy/rollout/status-of.ts';
import { peerAuthentication, policy } from '../model.ts';
import { answered, call, evidence, HOUR, plain, rollout, SUGGESTION, T0 } from './scenario.ts';

const SEED = 20261122;
const RUNS = 400;

/** What is wrong with the evidence, and before which stages that must hold. */
const FLAWS = Object.freeze({
  gap: ['strict', 'enforce'],
  loss: ['strict', 'enforce'],
  incomplete: ['strict', 'dry-run', 'enforce'],
  silence: ['strict', 'enforce'],
  'plain-text': ['strict'],
  'would-be-denied': ['enforce'],
  disagreement: ['enforce'],
  proxies: ['strict', 'dry-run', 'enforce'],
  conflict: ['strict', 'dry-run', 'enforce'],
} as const satisfies Record<string, readonly Stage[]>);
type Flaw = keyof typeof FLAWS;
const ALL: Flaw[] = [
  'gap',
  'loss',
  'incomplete',
  'silence',
  'plain-text',
  'would-be-denied',
  'disagreement',
  'proxies',
  'conflict',
];
const flaws: fc.Arbitrary<readonly Flaw[]> = fc.subarray(ALL, { maxLength: 2 });

interface Look {
  readonly afterMs: number;
  readonly flaws: readonly Flaw[];
  readonly denied: number;
  readonly foreign: number;
  readonly order: RolloutOrder | undefined;
  readonly advance: AdvanceMode;
  readonly target: Stage;
  readonly paused: boolean;
  readonly exceptions: readonly WorkloadException[];
  /** Where the process dies: after the intent was kept, after objects were written, or nowhere. */
  readonly dies: 'kept' | 'written' | 'nowhere';
}

const stage = fc.constantFrom(...STAGES);
const order: fc.Arbitrary<RolloutOrder | undefined> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      by: fc.constant('ann'),
      reason: fc.constant(''),
      force: fc.constant(false),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      by: fc.constant('forcer'),
      reason: fc.constantFrom('', 'I know'),
      force: fc.constant(true),
      to: stage,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.record({ kind: fc.constant('rollback' as const), by: fc.constant('bob'), reason: fc.constant('') }),
      fc.record({ kind: fc.constant('rollback' as const), by: fc.constant('bob'), reason: fc.constant(''), to: stage }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('pause' as const, 'resume' as const, 'resume' as const, 'renew' as const),
      by: fc.constant('bob'),
      reason: fc.constant(''),
    }),
  },
);
const exception = fc.record({
  workload: fc.constantFrom('cart', 'web'),
  upTo: fc.constantFrom('observe' as const, 'strict' as const, 'dry-run' as const),
  until: fc.constantFrom(T0 + 100 * HOUR, T0 + 100_000 * HOUR),
});
const looks: fc.Arbitrary<readonly Look[]> = fc.array(
  fc.record({
    afterMs: fc.constantFrom(1000, 1000, 60_000, 3_600_000, 30 * HOUR, 170 * HOUR),
    flaws: fc.oneof({ weight: 2, arbitrary: fc.constant<readonly Flaw[]>([]) }, { weight: 1, arbitrary: flaws }),
    denied: fc.constantFrom(0, 0, 0, 9, 10),
    foreign: fc.constantFrom(0, 0, 0, 1, 2),
    order,
    advance: fc.constantFrom<AdvanceMode>('Automatic', 'Automatic', 'Manual'),
    target: fc.constantFrom<Stage>('enforce', 'enforce', 'enforce', 'dry-run', 'strict'),
    paused: fc.constantFrom(false, false, false, true),
    exceptions: fc.oneof(
      { weight: 3, arbitrary: fc.constant<readonly WorkloadException[]>([]) },
      {
        weight: 1,
        arbitrary: fc.uniqueArray(
          exception.map((one) => ({ ...answered, ...one })),
          { maxLength: 2, selector: ({ workload }) => workload },
        ),
      },
    ),
    dies: fc.constantFrom('nowhere' as const, 'nowhere' as const, 'kept' as const, 'written' as const),
  }),
  { minLength: 1, maxLength: 40 },
);

/** Of each kind of flaw a caller, so that an oracle need not read the evidence. */
function seen(at: number, { flaws: wrong, denied, foreign }: Look): Evidence {
  const has = (flaw: Flaw): boolean => wrong.includes(flaw);
  const base = evidence(at);
  // To the gateway of a third workload, so that no exception makes it someone else's concern.
  const third = { destination: 'shop/third', lastSeen: at };
  return {
    ...base,
    record: {
      ...base.record,
      gaps: has('gap') ? [{ from: at - 2, until: at - 1 }] : [],
      losses: has('loss') ? [{ at: at - 1, reason: 'lost', count: 1 }] : [],
      incomplete: has('incomplete') ? 'not shared' : undefined,
    },
    calls: [
      ...(has('silence') ? [] : base.calls),
      call({ count: 1, lastSeen: at }),
      ...(has('plain-text') ? [plain(third)] : []),
    ],
    wouldBeDenied: has('would-be-denied') ? [{ call: call(third), policy: undefined }] : [],
    disagreements: has('disagreement') ? [{ call: call(third), shadow: 'DENY', evaluator: 'ALLOW' }] : [],
    proxies: has('proxies') ? { expected: 2, connected: 1, acked: 1, behind: ['cart'] } : base.proxies,
    deniedSince: denied === 0 ? [] : [{ call: call({ decision: 'DENY', count: denied }), policy: undefined, revoked: false }],
    configured: {
      ...base.configured,
      peerAuthentications: has('conflict') ? [peerAuthentication('shop', 'mine', { mode: 'PERMISSIVE' })] : [],
      authorizationPolicies: foreign === 0 ? [] : [policy('shop', `foreign-${foreign}`, { action: 'DENY' })],
    },
  };
}

const rolloutAt = ({ advance, target, paused, exceptions }: Look): NamespaceRollout =>
  rollout({ advance, target, paused, exceptions });

/** A namespace, and the process that looks after it. */
class World {
  kept: RolloutState | undefined;
  there: readonly RolloutObject[] = [];
  now = T0;
  readonly #crashes: boolean;

  constructor(crashes: boolean) {
    this.#crashes = crashes;
  }

  /** One look, and what it leads to; the process dies where it says so, and the next one goes on at once. */
  look(look: Look): readonly Transition[] {
    this.now += look.afterMs;
    const found = seen(this.now, look);
    const on = rolloutAt(look);
    const before = this.kept?.history.length ?? 0;
    this.#run(on, found, look.order, this.#crashes ? look.dies : 'nowhere');
    // Whoever comes after a crash finds what was begun; it is given no order, and nobody was denied meanwhile.
    if (this.kept?.intent !== undefined) this.#run(on, { ...found, deniedSince: [] }, undefined, 'nowhere');
    return this.kept?.history.slice(before) ?? [];
  }

  #run(on: NamespaceRollout, found: Evidence, ordered: RolloutOrder | undefined, dies: Look['dies']): void {
    const situation = { state: this.kept, rollout: on, evidence: found, suggest: () => SUGGESTION, now: this.now };
    const given = ordered === undefined ? situation : { ...situation, order: ordered };
    const decision = decide(given);
    assert.deepEqual(decide(given), decision, 'the same for the same');
    // As it is kept: as text.
    this.kept = restored(decision.state);
    if (decision.state.intent === undefined) {
      if (decision.desired !== undefined) this.there = decision.desired;
      return;
    }
    if (dies === 'kept') return;
    this.there = decision.state.intent.objects;
    if (dies === 'written') return;
    this.kept = restored(finished(decision.state, on, this.now));
  }
}

function restored(state: RolloutState): RolloutState {
  const text: RolloutState = JSON.parse(JSON.stringify(state));
  // Fields that are undefined are not in the text; they mean the same.
  return { ...state, ...text };
}

const atOf = (state: RolloutState | undefined, name: string): Stage => state?.held[name] ?? state?.stage ?? 'observe';
const forward = ({ cause }: Transition): boolean => cause === 'command' || cause === 'automatic';
const enforced = (objects: readonly RolloutObject[]): readonly RolloutObject[] =>
  objects.filter(({ kind, metadata }) => kind === 'AuthorizationPolicy' && metadata.annotations === undefined);

const check = <T>(property: fc.IProperty<T>): void => fc.assert(property, { seed: SEED, numRuns: RUNS });

describe(`a rollout, whatever is ordered, seen and broken off (seed ${SEED})`, () => {
  it('no step forward against the evidence but by force, with a reason', () =>
    check(
      fc.property(looks, (all) => {
        const world = new World(true);
        for (const look of all) {
          const before = world.kept;
          for (const step of world.look(look)) {
            if (!forward(step)) continue;
            const into = step.from === step.to ? nextOfHeld(before, world.kept) : step.to;
            if (step.by === 'forcer') {
              assert.equal(step.reason, 'I know');
              continue;
            }
            assert.ok(step.gates.length > 0 && step.gates.every(({ met }) => met), 'a gate was not met');
            const wrong = look.flaws.filter((flaw) => FLAWS[flaw].some((one) => one === into));
            assert.deepEqual(wrong, [], `entered ${into}`);
            if (into === 'enforce')
              assert.ok(world.now - (before?.objectsSince ?? world.now) >= 168 * HOUR, 'the dry run was too short');
            assert.ok(!look.paused, 'paused');
          }
        }
      }),
    ));

  it('never more than one step at once, for the namespace and for each workload', () =>
    check(
      fc.property(looks, (all) => {
        const world = new World(true);
        for (const look of all) {
          const before = world.kept;
          const steps = world.look(look);
          assert.ok(steps.length <= 1, 'two transitions of one look');
          for (const name of ['cart', 'web'])
            assert.ok(
              STAGES.indexOf(atOf(world.kept, name)) - STAGES.indexOf(atOf(before, name)) <= 1,
              `${name}: ${atOf(before, name)} to ${atOf(world.kept, name)}`,
            );
          for (const [index, { number }] of (world.kept?.history ?? []).entries()) assert.equal(number, index + 1);
        }
      }),
    ));

  it('broken off anywhere, it ends as if it had not been', () =>
    check(
      fc.property(looks, (all) => {
        const [broken, whole] = [new World(true), new World(false)];
        for (const look of all) {
          broken.look(look);
          whole.look(look);
          assert.deepEqual(broken.kept, whole.kept);
          assert.deepEqual(broken.there, whole.there);
        }
      }),
    ));

  it('back by one step, from wherever it is', () =>
    check(
      fc.property(looks, stage, (all, to) => {
        const world = new World(true);
        for (const look of all) {
          world.look(look);
          const { kept } = world;
          if (kept === undefined || kept.stage === 'observe') continue;
          const target = isBefore(to, kept.stage) ? to : undefined;
          const { state, refusal } = decide({
            state: kept,
            rollout: rolloutAt(look),
            evidence: seen(world.now, look),
            suggest: () => SUGGESTION,
            now: world.now,
            order: { kind: 'rollback', by: 'bob', reason: '', ...(target === undefined ? {} : { to: target }) },
          });
          assert.equal(refusal, undefined);
          assert.ok(state.intent !== undefined && isBefore(state.intent.transition.to, kept.stage));
          if (target !== undefined) assert.equal(state.intent.transition.to, target);
        }
      }),
    ));

  it('what is there is what the stage is, and each object is complete', () =>
    check(
      fc.property(looks, (all) => {
        const world = new World(true);
        for (const look of all) {
          world.look(look);
          const { kept, there } = world;
          if (kept === undefined) continue;
          assert.equal(new Set(there.map(objectName)).size, there.length);
          if (kept.stage !== 'enforce') assert.deepEqual(enforced(there), []);
          for (const name of ['cart', 'web']) {
            const closing = enforced(there).filter(({ metadata }) => metadata.name === `rollout-${name}`);
            assert.equal(closing.length, atOf(kept, name) === 'enforce' ? 1 : 0, name);
            const open = there.filter(({ metadata }) => metadata.name === `rollout-open-${name}`);
            assert.equal(open.length, kept.stage === 'enforce' && atOf(kept, name) !== 'enforce' ? 1 : 0, name);
          }
          for (const { metadata, spec } of there)
            if (metadata.name !== 'rollout-strict' && metadata.name !== 'rollout-allow-nothing')
              assert.ok(spec['selector'] !== undefined, `${metadata.name} is for the whole namespace`);
        }
      }),
    ));

  it('an exception that has ended opens nothing and closes nothing', () =>
    check(
      fc.property(looks, (all) => {
        const world = new World(false);
        for (const look of all) {
          const before = world.kept;
          const [step] = world.look(look);
          if (
            before === undefined ||
            step === undefined ||
            step.cause === 'rollback-command' ||
            step.cause === 'rollback-automatic'
          )
            continue;
          for (const { workload, until, upTo } of look.exceptions) {
            if (until > world.now) continue;
            assert.ok(!isBefore(atOf(world.kept, workload), atOf(before, workload)), `${workload} was opened`);
            if (step.by !== 'forcer' && forward(step) && isBefore(upTo, step.to))
              assert.fail('a step was taken although an exception has ended');
          }
        }
      }),
    ));

  it('its status is never at odds with what an order does', () =>
    check(
      fc.property(looks, (all) => {
        const world = new World(false);
        for (const look of all) {
          world.look(look);
          if (world.kept === undefined) continue;
          const found = seen(world.now, look);
          const on = rolloutAt(look);
          const status = statusOf(on, world.kept, found, world.now);
          const { refusal } = decide({
            state: world.kept,
            rollout: on,
            evidence: found,
            suggest: () => SUGGESTION,
            now: world.now,
            order: { kind: 'advance', by: 'ann', reason: '', force: false },
          });
          assert.equal(refusal === undefined, status.next !== undefined && status.heldBy.length === 0);
          if (status.next !== undefined) assert.deepEqual(refusal?.heldBy ?? [], status.heldBy);
        }
      }),
    ));
});

/** The stage that a workload which caught up has entered. */
function nextOfHeld(before: RolloutState | undefined, after: RolloutState | undefined): Stage {
  const lifted = ['cart', 'web'].find((name) => isBefore(atOf(before, name), atOf(after, name)));
  return lifted === undefined ? 'observe' : atOf(after, lifted);
}
