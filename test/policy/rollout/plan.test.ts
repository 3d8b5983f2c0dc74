import assert from 'node:assert/strict';
import type { Evidence } from '../../../policy/rollout/evidence.ts';
import { planOf, type RolloutPlan } from '../../../policy/rollout/plan.ts';
import { initialState, type RolloutState } from '../../../policy/rollout/state.ts';
import type { Suggestion } from '../../../policy/suggest/suggestion.ts';
import { peerAuthentication, port } from '../model.ts';
import { answered, at, call, evidence, plain, rollout, SUGGESTION, suggested, T0, workload } from './scenario.ts';

const suggestion: Suggestion = {
  policies: SUGGESTION,
  notes: [
    {
      kind: 'rare',
      caller: 'reports/weekly',
      destination: 'shop/cart',
      calls: 1,
      firstSeen: T0,
      lastSeen: T0,
      note: 'seldom seen; kept',
    },
  ],
  generalisations: ['/items/1 and /items/2 became /items/{*}'],
  uncovered: [],
};

const plan = (state: RolloutState, found: Evidence = evidence(T0), on = rollout()): RolloutPlan =>
  planOf(on, state, found, suggestion, T0);

describe('the plan of a rollout', () => {
  it('says what comes, what changes and what goes', () => {
    assert.deepEqual(plan(initialState('shop', T0)).changes, [
      { change: 'create', object: 'PeerAuthentication shop/rollout-strict' },
    ]);
    assert.deepEqual(
      plan(at('dry-run', rollout())).changes,
      ['rollout-cart', 'rollout-web', 'rollout-allow-nothing'].map((name) => ({
        change: 'change',
        object: `AuthorizationPolicy shop/${name}`,
      })),
    );
    const excepted = rollout({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered }] });
    assert.deepEqual(plan(at('enforce', excepted)).changes, [
      { change: 'delete', object: 'PeerAuthentication shop/rollout-permissive-cart' },
    ]);
    assert.deepEqual(plan(at('enforce', rollout())).changes, []);
  });

  it('names who would be cut off, the busiest first, and who answers for it', () => {
    const found = evidence(T0, { calls: [call(), plain({ count: 3 }), plain({ address: '10.9.9.9', count: 7 })] });
    const on = rollout({
      accepted: [
        {
          kind: 'plain-text',
          from: { principal: undefined, namespace: undefined, ipBlock: '10.9.0.0/16' },
          to: { workload: undefined, port: undefined },
          ...answered,
        },
      ],
    });
    assert.deepEqual(
      plan(initialState('shop', T0), found, on).cutOff.map(({ caller, why }) => `${caller} ${why}`),
      ['10.9.9.9 calls in plain text; accepted by team-legacy until 2026-12-29T19:00:00Z', '10.1.2.3 calls in plain text'],
    );
    const judged = evidence(T0, { wouldBeDenied: [{ call: call({ lastSeen: T0 }), policy: 'shop/mine' }] });
    assert.deepEqual(
      plan(at('dry-run', rollout()), judged, on).cutOff.map(({ why }) => why),
      ['shop/mine denies it'],
    );
    assert.deepEqual(plan(at('strict', rollout()), judged).cutOff, [], 'a dry run cuts nobody off');
  });

  it('notes what is to be known before: gateways, rare callers, what was generalised, ports that stay open', () => {
    const base = evidence(T0);
    const mine = peerAuthentication('shop', 'metrics', {
      selector: { app: 'cart' },
      portLevel: new Map([[port(9090), 'PERMISSIVE' as const]]),
    });
    const configured = {
      ...base.configured,
      workloads: [workload('cart'), workload('web'), workload('gate')],
      gateways: new Set(['gate']),
      peerAuthentications: [mine],
    };
    assert.deepEqual(plan(at('strict', rollout()), { ...base, configured }).notes, [
      'shop/gate is a gateway: it stays open to whoever calls from outside of the mesh',
      'PeerAuthentication shop/metrics takes plain text on port 9090: that stays, whatever the stage',
      'shop/cart: rare: reports/weekly: seldom seen; kept; the last 2026-11-18T03:00:00Z',
      '/items/1 and /items/2 became /items/{*}',
    ]);
  });

  it('enforces what was dry-run, not what would be suggested today', () => {
    const state = {
      ...at('dry-run', rollout()),
      suggestion: [suggested('cart', ['cluster.local/ns/old/sa/x']), suggested('web', [])],
    };
    const text = JSON.stringify(plan(state).objects);
    assert.ok(text.includes('ns/old/sa/x') && !text.includes('sa/web'));
  });
});
