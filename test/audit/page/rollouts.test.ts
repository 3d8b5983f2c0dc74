import assert from 'node:assert/strict';
import {
  kept,
  rolloutDetailsOf,
  rolloutListOf,
  type RolloutSource,
  rolloutsVersion,
} from '../../../audit/page/server/rollouts.ts';
import { LOCAL_VIEWER } from '../../../audit/page/server/viewer.ts';
import { pageRollouts } from '../../../cli/serve/page-rollouts.ts';
import { sampleSnapshot } from '../../browser/sample-calls.ts';
import { rolloutAt, rolloutSource, sampleRollouts } from '../../browser/sample-rollouts.ts';

const NOW = Date.parse('2026-05-04T12:00:00Z');

describe('audit: rollouts on the page', () => {
  it('asks the controller once a second, however many look on, and for one plan at a time', async () => {
    let [now, asked, planned, most, under] = [0, 0, 0, 0, 0];
    const inner = rolloutSource(sampleRollouts(NOW));
    const source: RolloutSource = {
      status: (namespace) => inner.status(namespace),
      statuses() {
        asked++;
        return inner.statuses();
      },
      async plan(namespace) {
        planned++;
        most = Math.max(most, ++under);
        await new Promise((resolve) => setImmediate(resolve));
        under--;
        return inner.plan(namespace);
      },
    };
    const one = kept(source, () => now);
    await Promise.all(Array.from({ length: 50 }, () => one.statuses()));
    assert.equal(asked, 1);
    now += 1_000;
    await one.statuses();
    assert.equal(asked, 2);
    await Promise.all(['shop', 'default', 'shop', 'payments', 'shop'].map((name) => one.plan(name)));
    assert.deepEqual([planned, most], [3, 1]);
    now += 5_000;
    await one.plan('shop');
    assert.equal(planned, 4);
  });

  it('asks again at once after the controller could not answer', async () => {
    let fails = true;
    const inner = rolloutSource([]);
    const one = kept(
      {
        status: (namespace) => inner.status(namespace),
        plan: (namespace) => (fails ? Promise.reject(new Error('away')) : inner.plan(namespace)),
        statuses: () => (fails ? Promise.reject(new Error('away')) : inner.statuses()),
      },
      () => 0,
    );
    await assert.rejects(one.statuses(), /away/);
    await assert.rejects(one.plan('shop'), /away/);
    fails = false;
    assert.deepEqual(await one.statuses(), []);
    // Another namespace's plan is not in the way of it.
    assert.equal((await one.plan('default')).ok, true);
  });

  it('tells browsers of steps, gates and rollbacks, and not of each minute of evidence', () => {
    const [first] = sampleRollouts(NOW);
    assert.ok(first !== undefined);
    const gates = first.gates.map((gate) => ({ ...gate, found: `${gate.found} more` }));
    assert.equal(rolloutsVersion([{ ...first, gates }]), rolloutsVersion([first]));
    const changes = [
      { stage: 'enforce' as const },
      { gates: first.gates.map((gate) => ({ ...gate, met: !gate.met })) },
      { heldBy: [] },
      { rollbackArmedUntil: new Date(NOW).toISOString() },
      { paused: true },
      { history: [] },
    ];
    for (const change of changes)
      assert.notEqual(rolloutsVersion([{ ...first, ...change }]), rolloutsVersion([first]), JSON.stringify(change).slice(0, 80));
  });

  it('shows what went wrong first, and a rollout that was not looked at yet as not known', async () => {
    const snapshot = sampleSnapshot();
    const [rollout] = snapshot.namespaceRollouts ?? [];
    assert.ok(rollout !== undefined, 'the shop has one');
    const { namespace } = rollout.meta;
    const status = rolloutAt(namespace, 'strict', NOW, { heldBy: ['requests: 3 of 1000'] });
    const last: { status: typeof status; problem: string | undefined; armed: boolean }[] = [];
    const source = pageRollouts(
      { last: () => last, plan: () => Promise.resolve({ ok: false, error: 'not now' }) },
      () => snapshot,
    );
    const list = async () =>
      (await rolloutListOf(source, snapshot, LOCAL_VIEWER)).namespaces.find((one) => one.namespace === namespace);
    assert.deepEqual(await list(), { namespace, unknown: true });
    assert.equal((await rolloutDetailsOf(source, namespace, snapshot, LOCAL_VIEWER))?.begin, undefined);
    last.push({ status, problem: 'the folder cannot be written', armed: false });
    const shown = await list();
    assert.deepEqual([shown?.rollout?.heldBy, shown?.rollout?.held], ['the folder cannot be written', 2]);
  });

  it('sends the last hundred steps, and says how many there are before', async () => {
    const [first] = sampleRollouts(NOW);
    const [step] = first?.history ?? [];
    assert.ok(first !== undefined && step !== undefined);
    const history = Array.from({ length: 130 }, (_, at) => ({ ...step, number: 130 - at }));
    const details = await rolloutDetailsOf(rolloutSource([{ ...first, history }]), 'shop', sampleSnapshot(), LOCAL_VIEWER);
    assert.deepEqual(
      [details?.status?.history.length, details?.omittedHistory, details?.status?.history[0]?.number],
      [100, 30, 130],
    );
  });
});
