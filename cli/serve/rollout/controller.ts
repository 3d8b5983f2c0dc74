import type { Logger } from 'pino';
import type { NamespaceRollout } from '../../../mesh/model/namespace-rollout.ts';
import type { Observer } from '../../../audit/intake/sink.ts';
import type { Rollouts, RolloutSurroundings } from '../../../policy/rollout/ports.ts';
import type { RolloutStatus } from '../../../policy/rollout/status.ts';
import { decidedAlike } from '../../../policy/rollout/configured.ts';
import { turns } from '../../../sds/authority/turns.ts';
import { beginning } from './beginning.ts';
import { Denials } from './denials.ts';
import type { JudgeCalls } from './judged.ts';
import { NamespaceController, type NamespaceSurroundings } from './namespace-controller.ts';

export interface ControllerOptions extends RolloutSurroundings {
  readonly suggest: NamespaceSurroundings['suggest'];
  readonly judge: JudgeCalls;
  readonly onTransition?: NonNullable<NamespaceSurroundings['onTransition']>;
  /** Goes on evenly, whatever the clock is set to (ms); absent: the process's. */
  readonly elapsed?: () => number;
  readonly log: Logger;
}

/** Rollouts with what else is to be known of them. */
export interface RunningRollouts extends Rollouts, Observer {
  /** Does now what is to be done in a namespace, such as to finish what somebody else began. */
  settle(namespace: string): Promise<void>;
  /** As they were seen last, without asking anew. */
  readonly last: () => readonly {
    readonly status: RolloutStatus;
    readonly problem: string | undefined;
    readonly armed: boolean;
  }[];
}

/** How often a namespace is looked at: when denials count, on its way, and at its target. */
const ARMED_MS = 1_000;
const UNDER_WAY_MS = 5_000;
const RESTING_MS = 30_000;
/** All looks together take at most one part in so many of the time; but none waits longer than that. */
const SHARE = 20;
const LONGEST_MS = 300_000;
/** So many looks at once, or a start with many would take long for each of them. Where denials count nothing is waited for. */
const AT_ONCE = 4;
/** Denials come in bursts; the first ones wait for those that come with them. */
const BURST_MS = 100;

/** Runs the rollout of every namespace that has one. */
export function runRollouts(options: ControllerOptions): RunningRollouts {
  const { snapshot, timers, log } = options;
  const controllers = new Map<string, NamespaceController>();
  const due = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  const costs = new Map<string, number>();
  const inTurn = turns(AT_ONCE);
  let closed = false;

  const denials = new Denials((namespace) => {
    // However many are refused on purpose, looking takes a part of the time only.
    if (controllers.get(namespace)?.armed === true) soon(namespace, Math.max(BURST_MS, (costs.get(namespace) ?? 0) * 4));
  });
  const around: NamespaceSurroundings = {
    ...options,
    live: (namespace, since) => denials.since(namespace, since),
  };

  // Monotonic: a clock that is set must not hold looks back.
  const soon = (namespace: string, ms: number): void => {
    if (closed) return;
    const at = performance.now() + ms;
    const known = due.get(namespace);
    if (known !== undefined && known.at <= at) return;
    known?.cancel();
    due.set(namespace, { at, cancel: timers.after(ms, () => void look(namespace)) });
  };

  const look = (namespace: string): Promise<void> =>
    controllers.get(namespace)?.armed === true ? lookNow(namespace) : inTurn(() => lookNow(namespace));

  const lookNow = async (namespace: string): Promise<void> => {
    due.delete(namespace);
    const controller = controllers.get(namespace);
    if (closed || controller === undefined) return;
    const start = performance.now();
    try {
      await controller.tick();
    } catch (error) {
      log.error({ err: error, namespace }, 'a rollout could not be looked at');
    }
    costs.set(namespace, performance.now() - start);
    const all = [...costs.values()].reduce((sum, cost) => sum + cost, 0);
    const wait = controller.armed ? ARMED_MS : controller.resting || !controller.decides ? RESTING_MS : UNDER_WAY_MS;
    const share = controller.armed ? (costs.get(namespace) ?? 0) * 2 : (all * SHARE) / AT_ONCE;
    soon(namespace, Math.max(wait, Math.min(share, LONGEST_MS)));
  };

  const follow = (): void => {
    const wanted = new Map<string, NamespaceRollout>();
    // The oldest comes first, and counts.
    for (const rollout of options.rollouts())
      if (!wanted.has(rollout.meta.namespace)) wanted.set(rollout.meta.namespace, rollout);
    for (const namespace of controllers.keys()) {
      if (wanted.has(namespace)) continue;
      controllers.delete(namespace);
      costs.delete(namespace);
      due.get(namespace)?.cancel();
      due.delete(namespace);
      if ((snapshot().namespaceRollouts ?? []).some(({ meta }) => meta.namespace === namespace))
        log.info({ namespace }, 'another revision decides about the rollout now');
      else log.warn({ namespace }, 'the NamespaceRollout is gone: its objects stay as they are, and are nobody’s');
    }
    for (const [namespace, rollout] of wanted) {
      const known = controllers.get(namespace);
      if (known === undefined) controllers.set(namespace, new NamespaceController(rollout, around));
      else if (known.rollout === rollout) continue;
      else known.rollout = rollout;
      soon(namespace, 0);
    }
    denials.watch(new Set(wanted.keys()));
  };

  let before = snapshot();
  follow();

  return {
    statuses: () => Promise.all([...controllers.keys()].sort().map((name) => statusOf(controllers, name))),
    status: (namespace) => controllers.get(namespace)?.status() ?? Promise.resolve(undefined),
    async plan(namespace) {
      const known = controllers.get(namespace);
      if (known !== undefined) return { ok: true, plan: { ...(await known.plan()), begin: undefined } };
      const current = snapshot();
      if (!current.workloads.some((workload) => workload.namespace === namespace))
        return { ok: false, error: `there is no workload in namespace ${namespace} (gatehouse rollout status lists rollouts)` };
      try {
        const begin = beginning(namespace, current.meshConfig);
        const { onStatus: _, ...quiet } = around;
        const plan = await new NamespaceController(begin.rollout, { ...quiet, isLeader: () => false }).plan();
        return { ok: true, plan: { ...plan, begin: begin.object } };
      } catch (error) {
        return { ok: false, error: error instanceof Error ? error.message : String(error) };
      }
    },
    async order(namespace, order) {
      const controller = controllers.get(namespace);
      if (controller === undefined)
        return {
          ok: false,
          error: `namespace ${namespace} has no NamespaceRollout; gatehouse rollout plan ${namespace} -o yaml prints one to begin with`,
          heldBy: [],
        };
      const answer = await controller.order(order);
      soon(namespace, 0);
      return answer;
    },
    settle: (namespace) => controllers.get(namespace)?.tick() ?? Promise.resolve(),
    changed(next) {
      follow();
      const earlier = before;
      before = next;
      for (const namespace of controllers.keys()) if (!decidedAlike(earlier, next, namespace)) soon(namespace, 0);
    },
    observe: (records) => denials.observe(records),
    last: () =>
      [...controllers.values()].flatMap(({ last: status, problem, armed }) =>
        status === undefined ? [] : [{ status, problem, armed }],
      ),
    async close() {
      closed = true;
      for (const { cancel } of due.values()) cancel();
      due.clear();
      await Promise.all([...controllers.values()].map((controller) => controller.settled()));
    },
  };
}

async function statusOf(controllers: ReadonlyMap<string, NamespaceController>, namespace: string): Promise<RolloutStatus> {
  const controller = controllers.get(namespace);
  if (controller === undefined) throw new Error(`the rollout of ${namespace} has gone`);
  return controller.status();
}
