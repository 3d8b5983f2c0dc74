import type { NamespaceRollout } from '../../../mesh/model/namespace-rollout.ts';
import type { Labels } from '../../../mesh/model/object.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import type { Evidence } from '../../../policy/rollout/evidence.ts';
import { decide, finished, type RolloutOrder } from '../../../policy/rollout/machine.ts';
import type { Decision } from '../../../policy/rollout/situation.ts';
import { initialState, type RolloutState } from '../../../policy/rollout/state.ts';
import type { SuggestedPolicy } from '../../../policy/suggest/suggestion.ts';
import { meta, snapshot } from '../model.ts';

export const HOUR = 3_600_000;
export const T0 = Date.parse('2026-11-18T03:00:00Z');

export function workload(name: string, labels: Labels = { app: name }): Workload {
  return {
    meta: meta('Deployment', 'shop', name),
    namespace: 'shop',
    name,
    serviceAccount: name,
    labels,
    ports: [],
    image: undefined,
    replicas: 1,
    instances: [],
  };
}

export function rollout(fields: Partial<NamespaceRollout> = {}): NamespaceRollout {
  return {
    meta: meta('NamespaceRollout', 'shop', 'shop'),
    target: 'enforce',
    advance: 'Manual',
    paused: false,
    gates: {
      strict: { observedForMs: 24 * HOUR, requests: 100 },
      'dry-run': { observedForMs: 0, requests: 0 },
      enforce: { observedForMs: 168 * HOUR, requests: 1000 },
    },
    accepted: [],
    exceptions: [],
    rollback: { denials: 10, withinMs: 600_000 },
    ...fields,
  };
}

export const answered = { owner: 'team-legacy', reason: 'no sidecar yet', until: T0 + 1000 * HOUR };

export function call(fields: Partial<ObservedCall> = {}): ObservedCall {
  return {
    principal: 'spiffe://cluster.local/ns/shop/sa/web',
    address: undefined,
    caller: 'shop/web',
    destination: 'shop/cart',
    service: undefined,
    port: 8080,
    protocol: 'HTTP',
    method: 'GET',
    path: '/items',
    mtls: true,
    decision: 'ALLOW',
    denied: undefined,
    wouldDeny: [],
    count: 5000,
    firstSeen: T0 - 1000 * HOUR,
    lastSeen: T0,
    days: undefined,
    ...fields,
  };
}

export const plain = (fields: Partial<ObservedCall> = {}): ObservedCall =>
  call({ principal: undefined, address: '10.1.2.3', caller: undefined, mtls: false, count: 12, ...fields });

const WORKLOADS = [workload('cart'), workload('web')];

/** All is well at `at`. */
export function evidence(at: number, fields: Partial<Evidence> = {}): Evidence {
  return {
    at,
    record: { recordedSince: T0 - 1000 * HOUR, gaps: [], losses: [], incomplete: undefined },
    calls: [call({ lastSeen: at })],
    wouldBeDenied: [],
    disagreements: [],
    deniedSince: [],
    proxies: { expected: 2, connected: 2, acked: 2, behind: [] },
    configured: {
      since: at,
      snapshot: snapshot({ workloads: WORKLOADS }),
      authorizationPolicies: [],
      peerAuthentications: [],
      requestAuthentications: [],
      rootNamespace: 'istio-system',
      workloads: WORKLOADS,
      gateways: new Set(),
    },
    ...fields,
  };
}

export const suggested = (name: string, principals: readonly string[] = ['cluster.local/ns/shop/sa/web']): SuggestedPolicy => ({
  namespace: 'shop',
  name,
  workload: `shop/${name}`,
  selector: { app: name },
  rules:
    principals.length === 0
      ? []
      : [
          {
            principals,
            ipBlocks: [],
            ports: [8080],
            methods: ['GET'],
            paths: ['/items'],
            evidence: { calls: 1, firstSeen: 0, lastSeen: 0, rare: false },
          },
        ],
});

export const SUGGESTION = [suggested('cart'), suggested('web', [])];

export function decided(state: RolloutState | undefined, on: NamespaceRollout, found: Evidence, order?: RolloutOrder): Decision {
  return decide({
    state,
    rollout: on,
    evidence: found,
    suggest: () => SUGGESTION,
    now: found.at,
    ...(order === undefined ? {} : { order }),
  });
}

/** Does what was decided. */
export function done(decision: Decision, on: NamespaceRollout, now: number): RolloutState {
  return decision.state.intent === undefined ? decision.state : finished(decision.state, on, now);
}

export const advance = (fields: Partial<Extract<RolloutOrder, { kind: 'advance' }>> = {}): RolloutOrder => ({
  kind: 'advance',
  by: 'ann',
  reason: '',
  force: false,
  ...fields,
});

/** At a stage, having come there by force. */
export function at(stage: RolloutState['stage'], on: NamespaceRollout, now = T0): RolloutState {
  let state = initialState('shop', now);
  for (let steps = 0; state.stage !== stage; steps++) {
    if (steps > 4) throw new Error(`${stage} is not reached`);
    state = done(decided(state, on, evidence(now), advance({ force: true, reason: 'test' })), on, now);
  }
  return { ...state, armed: undefined };
}
