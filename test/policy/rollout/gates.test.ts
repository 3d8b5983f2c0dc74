import assert from 'node:assert/strict';
import type { NamespaceRollout, Stage } from '../../../mesh/model/namespace-rollout.ts';
import type { Labels } from '../../../mesh/model/object.ts';
import type { PeerAuthentication } from '../../../mesh/model/peer-authentication.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import type { Evidence } from '../../../policy/rollout/evidence.ts';
import { gatesFor } from '../../../policy/rollout/gates.ts';
import { initialState, type RolloutState } from '../../../policy/rollout/state.ts';
import type { GateKind, GateResult } from '../../../policy/rollout/status.ts';
import { nextStep } from '../../../policy/rollout/step.ts';
import { peerAuthentication, port, snapshot } from '../model.ts';
import { answered, at, call, evidence, HOUR, plain, rollout, T0, workload } from './scenario.ts';

function gates(on: NamespaceRollout, state: RolloutState, found: Evidence): readonly GateResult[] {
  const step = nextStep(on, state);
  assert.ok(step !== undefined, 'there is no next step');
  return gatesFor(on, state, step, found, found.at);
}

function gate(kind: GateKind, on: NamespaceRollout, state: RolloutState, found: Evidence): GateResult {
  const result = gates(on, state, found).find((one) => one.gate === kind);
  assert.ok(result !== undefined, `no gate ${kind}`);
  return result;
}

const observing = initialState('shop', T0);
const dryRunning = (on = rollout()): RolloutState => at('dry-run', on);
const WEEK = 168 * HOUR;
const recordOf = (fields: Partial<Evidence['record']>): Pick<Evidence, 'record'> => ({
  record: { ...evidence(T0).record, ...fields },
});

describe('gates of a rollout', () => {
  it('are open where all is well, each with what was found', () => {
    const found = gates(rollout(), observing, evidence(T0));
    assert.deepEqual(
      found.map(({ gate: kind, met, wanted, found: text }) => `${met ? 'met' : 'held'} ${kind}: ${wanted}; ${text}`),
      [
        'met observed-for: 24h of complete records; 1000h, since 2026-10-07T11:00:00Z',
        'met requests: 100 calls; 5000 calls since 2026-11-17T03:00:00Z',
        'met record-complete: no gap and no loss since 2026-11-17T03:00:00Z; none',
        'met plain-text: no caller in plain text but accepted ones; none',
        'met conflicts: nothing is in the way of the rollout’s objects; nothing',
        'met proxies: every proxy has accepted the policies as they are; 2 of 2, 2 connected',
        'met exceptions: no exception is past its end; none',
      ],
    );
  });

  it('without records none of what rests on them is met', () => {
    const found = gates(rollout(), observing, evidence(T0, { calls: [], ...recordOf({ recordedSince: undefined }) }));
    assert.deepEqual(
      found.filter(({ met }) => !met).map(({ gate: kind }) => kind),
      ['observed-for', 'requests', 'record-complete'],
    );
  });

  it('time counts since the last gap or loss, and says when it is over', () => {
    const gap = recordOf({ gaps: [{ from: T0 - 12 * HOUR, until: T0 - 11 * HOUR }] });
    const found = gate('observed-for', rollout(), observing, evidence(T0, gap));
    assert.deepEqual(
      [found.met, found.found, found.details],
      [false, '11h, since 2026-11-17T16:00:00Z', ['met 2026-11-18T16:00:00Z at the earliest']],
    );
    const loss = recordOf({ losses: [{ at: T0 - HOUR, reason: 'the disk was full', count: 7 }] });
    assert.deepEqual(gate('record-complete', rollout(), observing, evidence(T0, loss)).details, [
      '7 records lost 2026-11-18T02:00:00Z: the disk was full',
    ]);
    const old = recordOf({ gaps: [{ from: T0 - 40 * HOUR, until: T0 - 30 * HOUR }] });
    assert.ok(gates(rollout(), observing, evidence(T0, old)).every(({ met }) => met));
  });

  it('replicas that do not share a store are a doubt', () => {
    const incomplete = recordOf({ incomplete: 'two replicas keep records apart' });
    for (const kind of ['observed-for', 'record-complete'] as const)
      assert.equal(gate(kind, rollout(), observing, evidence(T0, incomplete)).met, false, kind);
  });

  it('a caller in plain text is named with what it calls, the busiest first, the first few only', () => {
    const callers = Array.from({ length: 8 }, (_, index) => plain({ address: `10.1.2.${index}`, count: index + 1 }));
    const found = gate('plain-text', rollout(), observing, evidence(T0, { calls: [call(), ...callers] }));
    assert.deepEqual(
      [found.met, found.found, found.details.length, found.omittedDetails],
      [false, '8 callers in plain text', 5, 3],
    );
    assert.equal(found.details[0], '10.1.2.7 to shop/cart:8080 GET /items, 8 calls, the last 2026-11-18T03:00:00Z');
  });

  it('callers in plain text who were refused or are long gone hold nothing', () => {
    const calls = [call(), plain({ decision: 'DENY' }), plain({ lastSeen: T0 - 25 * HOUR })];
    assert.equal(gate('plain-text', rollout(), observing, evidence(T0, { calls })).met, true);
  });

  it('a probe that would be cut off holds, seen or not, and says what to do; one that is rewritten or excepted does not', () => {
    const probed = (annotations: Workload['annotations'], ...peerAuthentications: readonly PeerAuthentication[]): Evidence => {
      const probes = [
        { field: 'containers[0].livenessProbe.httpGet', port: 8080, path: '/live', method: 'GET' as const, headers: {} },
      ];
      const workloads = [{ ...workload('cart'), probes, annotations: annotations ?? {} }];
      const base = evidence(T0);
      return {
        ...base,
        configured: { ...base.configured, snapshot: snapshot({ workloads }), workloads, peerAuthentications },
      };
    };
    const kept = { 'sidecar.istio.io/rewriteAppHTTPProbers': 'false' };
    const found = gate('plain-text', rollout(), observing, probed(kept));
    assert.deepEqual([found.met, found.found], [false, '1 probe or scrape']);
    assert.match(
      found.details[0] ?? '',
      /^the liveness probe GET \/live on port 8080 of shop\/cart comes in plain text.*: remove the annotation .* or except port 8080/,
    );
    const seen = { ...probed(kept), calls: [plain({ path: '/live' })] };
    const asSeen = gate('plain-text', rollout(), observing, seen);
    assert.equal(asSeen.found, '1 caller in plain text');
    assert.match(asSeen.details[0] ?? '', /GET \/live, 12 calls, .*; a probe, as the pod asks for: let the injector rewrite it/);
    const excepting = peerAuthentication('shop', 'probes', {
      selector: { app: 'cart' },
      portLevel: new Map([[port(8080), 'PERMISSIVE' as const]]),
    });
    for (const harmless of [
      probed({}),
      probed(kept, excepting),
      { ...seen, configured: probed(kept, excepting).configured },
      probed({ ...kept, 'traffic.sidecar.istio.io/excludeInboundPorts': '8080' }),
    ])
      assert.equal(gate('plain-text', rollout(), observing, harmless).met, true);
    const excepted = rollout({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered }] });
    assert.equal(gate('plain-text', excepted, observing, probed(kept)).met, true, 'it stays behind');
  });

  it('a workload that catches up is not excepted by the rollout’s own PeerAuthentication, which goes with the step; one of yours stays', () => {
    const permissive = (name: string, labels: Labels): PeerAuthentication => {
      const one = peerAuthentication('shop', name, { selector: { app: 'cart' }, mode: 'PERMISSIVE' });
      return { ...one, meta: { ...one.meta, labels } };
    };
    const found = evidence(T0, { calls: [call(), plain()] });
    const having = (one: PeerAuthentication): GateResult | undefined => {
      const asked = { ...found, configured: { ...found.configured, peerAuthentications: [one] } };
      const step = { to: 'strict' as const, workloads: new Set(['cart']), held: {} };
      return gatesFor(rollout(), at('strict', rollout()), step, asked, T0).find(({ gate: kind }) => kind === 'plain-text');
    };
    assert.equal(having(permissive('rollout-permissive-cart', { 'gatehouse.dev/rollout': 'shop' }))?.met, false);
    assert.equal(having(permissive('mine', {}))?.met, true, 'the gate for conflicts holds instead');
  });

  it('a hidden weekly caller holds enforcement: it comes within the week of the dry run', () => {
    const cron = call({ principal: 'spiffe://cluster.local/ns/shop/sa/report', count: 1, lastSeen: T0 + 6 * 24 * HOUR });
    const found = evidence(T0 + WEEK, { wouldBeDenied: [{ call: cron, policy: undefined }] });
    const result = gate('would-be-denied', rollout(), dryRunning(), found);
    assert.equal(result.met, false);
    assert.match(
      result.details[0] ?? '',
      /^cluster\.local\/ns\/shop\/sa\/report to shop\/cart:8080 GET \/items, 1 call, the last/,
    );
  });

  it('the week of the dry run begins when it does, and anew when it is renewed', () => {
    const state = dryRunning();
    const early = gate('observed-for', rollout(), state, evidence(T0 + WEEK - 1));
    assert.deepEqual([early.met, early.found], [false, '167h, since 2026-11-18T03:00:00Z']);
    assert.equal(gate('observed-for', rollout(), state, evidence(T0 + WEEK)).met, true);
    const renewed = { ...state, objectsSince: T0 + HOUR };
    assert.equal(gate('observed-for', rollout(), renewed, evidence(T0 + WEEK)).met, false);
  });

  it('what was seen before the dry run is no evidence for it', () => {
    const before = call({ lastSeen: T0 - 1 });
    const found = evidence(T0 + WEEK, { wouldBeDenied: [{ call: before, policy: undefined }], calls: [before] });
    assert.equal(gate('would-be-denied', rollout(), dryRunning(), found).met, true);
    assert.equal(gate('requests', rollout(), dryRunning(), found).found, '0 calls since 2026-11-18T03:00:00Z');
  });

  it('who judges differently proves nothing', () => {
    const found = evidence(T0 + WEEK, {
      disagreements: [{ call: call({ lastSeen: T0 + 1 }), shadow: 'DENY', evaluator: 'ALLOW' }],
    });
    const result = gate('agreement', rollout(), dryRunning(), found);
    assert.equal(result.met, false);
    assert.match(result.details[0] ?? '', /Envoy says DENY, the evaluator ALLOW$/);
  });

  it('a workload that came during the dry run is not closed unseen', () => {
    const found = evidence(T0 + WEEK);
    const workloads = [...found.configured.workloads, workload('new')];
    const result = gate('would-be-denied', rollout(), dryRunning(), { ...found, configured: { ...found.configured, workloads } });
    assert.deepEqual(result.details, ['shop/new has come since the dry run was made: gatehouse rollout renew shop']);
  });

  it('a workload that cannot be told from another is not closed by its policy', () => {
    const found = evidence(T0);
    const workloads = [workload('a', { app: 'x' }), workload('b', { app: 'x', version: 'v2' })];
    const state = at('strict', rollout());
    const result = gate('conflicts', rollout(), state, { ...found, configured: { ...found.configured, workloads } });
    assert.deepEqual(result.details, ['shop/a has no labels of its own that select it: give it one']);
  });

  it('proxies that are behind are named', () => {
    const proxies = { expected: 3, connected: 2, acked: 2, behind: ['cart-1.shop is not connected'] };
    const result = gate('proxies', rollout(), observing, evidence(T0, { proxies }));
    assert.deepEqual(
      [result.met, result.found, result.details],
      [false, '2 of 3, 2 connected', ['cart-1.shop is not connected']],
    );
  });

  describe('what others wrote', () => {
    const written = (fields: Parameters<typeof peerAuthentication>[2], on = rollout()): GateResult => {
      const found = evidence(T0);
      const peerAuthentications = [peerAuthentication('shop', 'mine', fields)];
      return gate('conflicts', on, observing, { ...found, configured: { ...found.configured, peerAuthentications } });
    };
    it('for the whole namespace wins over the rollout', () => {
      assert.match(written({ mode: 'PERMISSIVE' }).details[0] ?? '', /^PeerAuthentication shop\/mine is for the whole namespace/);
      assert.equal(written({ mode: 'STRICT' }).met, true);
    });
    it('for a workload wins too, unless that is excepted', () => {
      const one = { selector: { app: 'cart' }, mode: 'PERMISSIVE' as const };
      assert.match(written(one).details[0] ?? '', /keeps cart at PERMISSIVE: delete it, or except cart/);
      const excepted = rollout({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered }] });
      assert.equal(written(one, excepted).met, true);
    });
  });

  describe('the accepted list', () => {
    const kinds: readonly (readonly [string, Partial<NamespaceRollout['accepted'][number]['from']>, boolean])[] = [
      ['its block', { ipBlock: '10.1.0.0/16' }, true],
      ['its address', { ipBlock: '10.1.2.3' }, true],
      ['another block', { ipBlock: '10.2.0.0/16' }, false],
      ['a block of the other family', { ipBlock: '2001:db8::/32' }, false],
      ['a namespace that nobody knows it is of', { namespace: 'legacy' }, false],
    ];
    const none = { principal: undefined, namespace: undefined, ipBlock: undefined };
    const accepting = (
      from: Partial<NamespaceRollout['accepted'][number]['from']>,
      fields: Partial<NamespaceRollout['accepted'][number]> = {},
    ): NamespaceRollout =>
      rollout({
        accepted: [
          {
            kind: 'plain-text',
            from: { ...none, ...from },
            to: { workload: undefined, port: undefined },
            ...answered,
            ...fields,
          },
        ],
      });
    const plainText = (on: NamespaceRollout, fields = {}): GateResult =>
      gate('plain-text', on, observing, evidence(T0, { calls: [plain(fields)] }));
    for (const [name, from, met] of kinds)
      it(`${name} ${met ? 'covers' : 'does not cover'} a caller`, () => {
        const result = plainText(accepting(from));
        assert.deepEqual([result.met, result.accepted], [met, met ? 1 : 0]);
      });
    it('is about a workload and a port where it says so', () => {
      assert.equal(plainText(accepting({ ipBlock: '10.1.2.3' }, { to: { workload: 'cart', port: undefined } })).met, true);
      assert.equal(plainText(accepting({ ipBlock: '10.1.2.3' }, { to: { workload: 'db', port: undefined } })).met, false);
    });
    it('is about methods and paths where it says so: not about TCP, nor about some of what a record stands for', () => {
      const of = (to: Partial<NamespaceRollout['accepted'][number]['to']>, fields = {}): boolean =>
        plainText(accepting({ ipBlock: '10.1.2.3' }, { to: { workload: undefined, port: undefined, ...to } }), fields).met;
      assert.equal(of({ methods: ['GET'], paths: ['/items'] }), true);
      assert.equal(of({ methods: ['POST'], paths: ['/items'] }), false);
      assert.equal(of({ paths: ['/items/*'] }, { path: '/items/{id}' }), true);
      assert.equal(of({ paths: ['/items/a1'] }, { path: '/items/{id}' }), false);
      assert.equal(of({ paths: ['*'] }, { protocol: 'TCP', method: undefined, path: undefined }), false);
    });
    it('knows callers by namespace where the address is that of a pod', () =>
      assert.equal(plainText(accepting({ namespace: 'legacy' }), { caller: 'legacy/importer' }).met, true));
    it('of the other kind is not about it', () =>
      assert.equal(plainText(accepting({ ipBlock: '10.1.2.3' }, { kind: 'denied' })).met, false));
    it('that has ended holds, and says whom to ask', () => {
      const result = plainText(accepting({ ipBlock: '10.1.2.3' }, { until: T0 }));
      assert.match(result.details[0] ?? '', /was accepted until 2026-11-18T03:00:00Z: ask team-legacy$/);
    });
    it('knows identities by patterns, and their namespace only from themselves', () => {
      const denied = (from: object, fields = {}): boolean => {
        const one = call({
          principal: 'spiffe://cluster.local/ns/other/sa/cron',
          caller: 'shop/web',
          lastSeen: T0 + 1,
          ...fields,
        });
        const found = evidence(T0 + WEEK, { wouldBeDenied: [{ call: one, policy: undefined }] });
        return gate('would-be-denied', accepting(from, { kind: 'denied' }), dryRunning(), found).met;
      };
      assert.equal(denied({ principal: 'cluster.local/ns/other/*' }), true);
      assert.equal(denied({ principal: '*/sa/cron' }), true);
      assert.equal(denied({ principal: '*' }), true);
      assert.equal(denied({ principal: 'cluster.local/ns/shop/*' }), false);
      assert.equal(denied({ namespace: 'other' }), true);
      assert.equal(denied({ namespace: 'shop' }), false);
      assert.equal(denied({ principal: '*' }, { principal: undefined, address: '10.1.1.1' }), false);
    });
  });

  it('of an excepted workload nothing is asked, and nothing of it is counted as a finding', () => {
    const on = rollout({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered }] });
    const found = evidence(T0, { calls: [call({ destination: 'shop/web' }), plain()] });
    assert.ok(gates(on, observing, found).every(({ met }) => met));
  });

  it('an exception past its end holds the next stage', () => {
    const on = rollout({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered, until: T0 }] });
    const result = gate('exceptions', on, observing, evidence(T0));
    assert.deepEqual(
      [result.met, result.details],
      [false, ['cart: ended 2026-11-18T03:00:00Z; ask team-legacy to remove or to renew it']],
    );
  });

  it('every stage has those that it needs', () => {
    const kinds = (stage: Stage): readonly GateKind[] =>
      gates(rollout(), at(stage, rollout()), evidence(T0)).map(({ gate: kind }) => kind);
    assert.ok(kinds('observe').includes('plain-text'));
    assert.ok(
      ['would-be-denied', 'agreement', 'proxies', 'record-complete'].every((kind) =>
        kinds('dry-run').some((one) => one === kind),
      ),
    );
  });
});
