import assert from 'node:assert/strict';
import type { Alert } from '../../../audit/alerts/alert.ts';
import { AlertEngine, type EngineOptions } from '../../../audit/alerts/engine.ts';
import type { AlertRules } from '../../../audit/alerts/rules.ts';
import type { AccessRecord } from '../../../audit/model/record.ts';
import { record } from '../edges.ts';
import { id, NOW, WEB } from '../world.ts';

const HOUR = 3_600_000;
const NONE: AlertRules = { newEdge: undefined, plainText: undefined, denialSpike: undefined };
const NEW: AlertRules = { ...NONE, newEdge: { namespaces: undefined, learnMs: 0 } };
const PLAIN: AlertRules = { ...NONE, plainText: { namespaces: [], againMs: HOUR } };

function engine(rules: AlertRules, more: Partial<EngineOptions> = {}) {
  let now = NOW.getTime();
  const alerts: Alert[] = [];
  const told = new Map<string, number>();
  const made = new AlertEngine({
    rules,
    state: { since: now, told: new Map() },
    clock: () => new Date(now),
    strict: (workload) => (workload === 'shop/app' ? 'PeerAuthentication shop/default is STRICT' : undefined),
    keep: (keys, some) => {
      for (const [key, at] of keys) told.set(key, at);
      alerts.push(...some);
    },
    ...more,
  });
  return {
    engine: made,
    alerts,
    told,
    see: (...changes: readonly Partial<AccessRecord>[]) => {
      made.observe(changes.map(record));
      return alerts.splice(0);
    },
    pass: (ms: number) => void (now += ms),
  };
}

const from = (name: string): Partial<AccessRecord> => ({
  source: { principal: id(`ns/shop/sa/${name}`), workload: `shop/${name}`, address: '10.0.0.2' },
});
const plainly = (address: string, change: Partial<AccessRecord> = {}): Partial<AccessRecord> => ({
  mtls: false,
  source: { principal: undefined, workload: undefined, address },
  ...change,
});

describe('alerts of new edges', () => {
  it('the first time A called B, and no other time', () => {
    const { see } = engine(NEW);
    const [alert, ...others] = see({}, { template: '/other', method: 'POST' }, {});
    assert.deepEqual(others, []);
    assert.equal(alert?.kind, 'new-edge');
    assert.equal(alert.summary, 'shop/web called shop/app for the first time');
    assert.deepEqual(
      [alert.source.principal, alert.source.workload, alert.destination.service],
      [WEB, 'shop/web', 'app.shop.svc.cluster.local'],
    );
    assert.match(alert.id, /^[0-9a-f]{32}$/);
    assert.deepEqual(see({}), []);
    assert.deepEqual(
      see(from('cart'), { destination: { principal: undefined, workload: 'shop/db', address: undefined } }).map(
        ({ summary }) => summary,
      ),
      ['shop/cart called shop/app for the first time', 'shop/web called shop/db for the first time'],
    );
  });
  it('the same identity again after a restart is not new, and has the same id everywhere', () => {
    const first = engine(NEW);
    const [alert] = first.see({});
    const again = engine(NEW, { state: { since: 0, told: first.told } });
    assert.deepEqual(again.see({}), []);
    const elsewhere = engine(NEW);
    elsewhere.pass(12 * HOUR);
    assert.equal(elsewhere.see({})[0]?.id, alert?.id);
  });
  it('what is seen while it learns is known later', () => {
    const { see, pass } = engine({ ...NONE, newEdge: { namespaces: undefined, learnMs: HOUR } });
    assert.deepEqual(see({}), []);
    pass(2 * HOUR);
    assert.deepEqual(see({}), []);
    assert.equal(see(from('cart')).length, 1);
  });
  it('only into the namespaces that are named', () => {
    const { see } = engine({ ...NONE, newEdge: { namespaces: ['payments'], learnMs: 0 } });
    assert.deepEqual(see({}), []);
    assert.equal(see({ destination: { principal: undefined, workload: 'payments/api', address: undefined } }).length, 1);
  });
  it('a denied call is told as such; one that never arrived is none', () => {
    const { see } = engine(NEW);
    const verdict = { kind: 'denied-no-rule', policies: [] } as const;
    assert.match(see({ verdict })[0]?.summary ?? '', /and was denied$/);
    const away = { ...from('cart'), side: 'outbound', hop: 'out', reached: false } as const;
    assert.deepEqual(see({ ...away, verdict: { kind: 'unreached', cause: 'no_healthy_upstream' } }), []);
  });
  it('callers without an identity are one, whatever their addresses; hosts outside are bounded', () => {
    const { see } = engine(NEW, { mostPerMinute: 10_000 });
    assert.equal(see(...Array.from({ length: 50 }, (_, index) => plainly(`192.0.2.${String(index)}`))).length, 1);
    const away = { side: 'outbound', hop: 'out', destinationMeshed: false } as const;
    const destination = { principal: undefined, workload: undefined, address: '192.0.2.1' };
    const found = see(
      ...Array.from({ length: 500 }, (_, index) => ({ ...away, destination, service: `h${String(index)}.example.com` })),
    );
    assert.equal(found.length, 201);
  });
  it('too many at once are counted, and the next one says so', () => {
    const { see, engine: made, pass } = engine(NEW, { mostPerMinute: 5 });
    assert.equal(see(...Array.from({ length: 20 }, (_, index) => from(`w${String(index)}`))).length, 5);
    pass(60_000);
    assert.equal(see(from('later'))[0]?.suppressed, 15);
    assert.equal(see(from('latest'))[0]?.suppressed, 0);
    assert.deepEqual([made.stats.suppressed, made.stats.found['new-edge']], [15, 22]);
  });
  it('when nobody could say whether it is new, it is not told', () => {
    const { see, engine: made } = engine(NEW, { mostKeys: 2 });
    assert.equal(see(from('a'), from('b'), from('c')).length, 2);
    assert.equal(made.stats.forgetful, true);
  });
});

describe('alerts of plain text', () => {
  it('to what is to be strict, with why, once in a while for each caller', () => {
    const { see, pass } = engine(PLAIN);
    const [alert, ...others] = see(plainly('192.0.2.9'), plainly('192.0.2.10'));
    assert.deepEqual(others, []);
    assert.equal(
      alert?.summary,
      '192.0.2.9 spoke plain text to shop/app, which is to be strict: PeerAuthentication shop/default is STRICT',
    );
    pass(HOUR - 1);
    assert.deepEqual(see(plainly('192.0.2.9')), []);
    pass(1);
    const [again] = see(plainly('192.0.2.9'));
    assert.equal(again?.kind, 'plain-text');
    assert.notEqual(again.id, alert.id);
  });
  it('not by mutual TLS, nor to what need not be strict, nor at a gateway, nor from the caller’s side', () => {
    const { see } = engine(PLAIN);
    const destination = { principal: undefined, workload: 'old/app', address: undefined };
    assert.deepEqual(
      see(
        {},
        plainly('192.0.2.9', { destination }),
        plainly('192.0.2.9', { hop: 'out', side: 'outbound' }),
        plainly('192.0.2.9', { side: 'gateway' }),
      ),
      [],
    );
  });
  it('to namespaces that the rules name; refused is said', () => {
    const { see } = engine({ ...NONE, plainText: { namespaces: ['old'], againMs: HOUR } });
    const destination = { principal: undefined, workload: 'old/app', address: undefined };
    const [alert] = see(plainly('192.0.2.9', { destination, protocol: 'TCP', verdict: { kind: 'denied-transport' } }));
    assert.match(alert?.summary ?? '', /^192\.0\.2\.9 spoke plain text to old\/app, .* \(refused\)$/);
  });
});

describe('alerts of denials', () => {
  it('a spike of a workload, told once', () => {
    const denialSpike = { windowMs: 60_000, factor: 3, least: 10, againMs: HOUR };
    const { see, pass } = engine({ ...NONE, denialSpike });
    pass(5 * 60_000);
    const denied = { verdict: { kind: 'denied-no-rule', policies: [] } } as const;
    const [alert, ...others] = see(...Array.from({ length: 40 }, () => denied));
    assert.deepEqual(others, []);
    assert.equal(alert?.kind, 'denial-spike');
    assert.deepEqual([alert.denied, alert.usual, alert.callers], [10, 0, [{ source: 'shop/web', denied: 10 }]]);
    assert.equal(alert.summary, 'shop/app denied 10 calls within 60 s; usual are 0');
  });
});

describe('alerts of rollouts that were taken back', () => {
  const back = { namespace: 'shop', number: 4, from: 'enforce', to: 'dry-run', reason: '3 calls were denied', objects: [] };

  it('each step once, where the rule is there', () => {
    const { engine: made, alerts, told } = engine({ ...NONE, rollback: true });
    made.rolledBack(back);
    made.rolledBack(back);
    made.rolledBack({ ...back, number: 5, to: 'enforce' });
    assert.deepEqual(
      alerts.map(({ kind, summary }) => [kind, summary]),
      [
        ['rollout-rollback', 'the rollout of shop was taken back from enforce to dry-run: 3 calls were denied'],
        ['rollout-rollback', 'the rollout of shop stays at enforce, and policies of others became dry runs: 3 calls were denied'],
      ],
    );
    assert.equal(told.size, 2);
    assert.equal(made.stats.found['rollout-rollback'], 2);
    const silent = engine(NONE);
    silent.engine.rolledBack(back);
    assert.deepEqual(silent.alerts, []);
  });
});
