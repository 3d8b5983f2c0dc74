import { type Stage, STAGES } from '../../mesh/model/namespace-rollout.ts';
import type { GateResult, RolloutStatus, Transition } from '../../policy/rollout/status.ts';
import type { RolloutSource } from '../../audit/page/server/rollouts.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function gate(kind: GateResult['gate'], wanted: string, found: string, details?: readonly string[]): GateResult {
  return { gate: kind, met: details === undefined, wanted, found, details: details ?? [], omittedDetails: 0, accepted: 0 };
}

function gates(now: number, held: boolean): readonly GateResult[] {
  return [
    gate('observed-for', '168h of complete records', `181h, since ${new Date(now - 181 * HOUR).toISOString()}`),
    gate('requests', '1,000 calls', '341,204 calls'),
    gate('record-complete', 'no gap and no lost record', 'no gap, nothing lost'),
    gate('plain-text', 'no caller in plain text that is not accepted', '0 callers'),
    held
      ? gate('would-be-denied', 'no call that would be denied and is not accepted', '2 callers, 31 calls', [
          'shop/website to shop/users:8080 GET /users/{id}: 24 calls, last seen 2026-11-21T22:41:00Z',
          'shop/rewards to shop/users:8080 GET /users/{id}: 7 calls, last seen 2026-11-21T03:00:12Z; seldom, perhaps a job of each week',
        ])
      : gate('would-be-denied', 'no call that would be denied and is not accepted', '0 callers'),
    gate('agreement', 'proxies and the evaluator agree', '341,204 of 341,204 calls'),
    held
      ? gate('proxies', 'all proxies of the namespace have the policies', '5 of 6', ['fraud-7d9f.shop has not answered yet'])
      : gate('proxies', 'all proxies of the namespace have the policies', '6 of 6'),
  ];
}

function step(number: number, at: number, from: Stage, to: Stage, more: Partial<Transition> = {}): Transition {
  return {
    number,
    at: new Date(at).toISOString(),
    from,
    to,
    cause: 'command',
    by: 'maria',
    reason: 'agreed with the team',
    gates: gates(at, false),
    objects: [],
    ...more,
  };
}

/** A rollout whose stage is given, with what such a one has. */
export function rolloutAt(namespace: string, stage: Stage, now: number, more: Partial<RolloutStatus> = {}): RolloutStatus {
  const at = STAGES.indexOf(stage);
  const next = STAGES[at + 1];
  return {
    namespace,
    name: 'rollout',
    stage,
    target: 'enforce',
    advance: 'Manual',
    paused: false,
    since: new Date(now - 9 * DAY).toISOString(),
    next,
    gates: next === undefined ? [] : gates(now, false),
    heldBy: [],
    command: next === undefined ? undefined : `gatehouse rollout advance ${namespace}`,
    exceptions: [],
    accepted: [],
    rollbackArmedUntil: undefined,
    history: STAGES.slice(1, at + 1)
      .map((to, index) => step(index + 1, now - (20 - 5 * index) * DAY, STAGES[index] ?? 'observe', to))
      .reverse(),
    ...more,
  };
}

/** What each part of the view is about, in the samples' namespaces; `web` has not begun. */
export function sampleRollouts(now: number): readonly RolloutStatus[] {
  const held = gates(now, true);
  const shop = rolloutAt('shop', 'dry-run', now, {
    gates: held,
    heldBy: [
      'would-be-denied: 2 callers, 31 calls would be denied (accept them with an owner and an end, or allow them)',
      'proxies: 5 of 6 have the policies',
    ],
    exceptions: [
      { workload: 'mobile', upTo: 'strict', owner: 'mobile team', until: new Date(now + 40 * DAY).toISOString(), expired: false },
    ],
    accepted: [
      {
        text: 'plain text from 10.1.7.0/24 to shop/support:8080',
        owner: 'operations',
        until: new Date(now - 2 * DAY).toISOString(),
        expired: true,
        calls: 412,
      },
    ],
  });
  const back = step(4, now - 3 * HOUR, 'enforce', 'dry-run', {
    cause: 'rollback-automatic',
    by: 'gatehouse',
    reason: '6 calls of default/reviews-v3 to default/ratings-v1 were denied since AuthorizationPolicy default/ratings changed',
    gates: [],
    objects: ['AuthorizationPolicy default/rollout-ratings-v1', 'AuthorizationPolicy default/ratings'],
  });
  const bookinfo = rolloutAt('default', 'dry-run', now, {
    since: back.at,
    history: [back, ...rolloutAt('default', 'enforce', now).history],
    advance: 'Automatic',
  });
  const payments = rolloutAt('payments', 'enforce', now, { rollbackArmedUntil: new Date(now + 20 * 60_000).toISOString() });
  return [shop, bookinfo, payments];
}

export interface SampleRollouts extends RolloutSource {
  list: readonly RolloutStatus[];
  /** With a NamespaceRollout of which nothing is known yet. */
  unknown: ReadonlySet<string>;
}

/** Rollouts that a test can change while the page is open. */
export function rolloutSource(first: readonly RolloutStatus[]): SampleRollouts {
  return {
    list: first,
    unknown: new Set(),
    begun() {
      return this.unknown;
    },
    statuses() {
      return Promise.resolve(this.list);
    },
    status(namespace) {
      return Promise.resolve(this.list.find((one) => one.namespace === namespace));
    },
    plan(namespace) {
      const status = this.list.find((one) => one.namespace === namespace) ?? rolloutAt(namespace, 'observe', Date.now());
      const plan = {
        status,
        changes: [{ change: 'create' as const, object: `AuthorizationPolicy ${namespace}/rollout-allow-nothing` }],
        cutOff: [
          {
            caller: 'cluster.local/ns/shop/sa/website',
            destination: 'shop/users',
            port: 8080,
            calls: 24,
            lastSeen: new Date(Date.now() - HOUR).toISOString(),
            why: 'no rule allows it',
          },
        ],
        notes: ['the gateway istio-ingressgateway is opened to all: it serves those outside'],
      };
      return Promise.resolve({ ok: true as const, plan });
    },
  };
}
