import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import type { Stage } from '../../../mesh/model/namespace-rollout.ts';
import { selects } from '../../../mesh/model/object.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import { configuredIn } from '../../../policy/rollout/configured.ts';
import { stageThere } from '../../../policy/rollout/noticed.ts';
import { objectName, objectsOf, type RolloutObject, type StageOf } from '../../../policy/rollout/objects.ts';
import { selectorOf } from '../../../policy/rollout/selector.ts';
import { TestFolder } from '../../mesh/folder.ts';
import { policy, rule } from '../model.ts';
import { rollout, suggested, workload } from './scenario.ts';

const SEED = 20261122;

const STAGE: StageOf = {
  stage: 'enforce',
  rollout: rollout(),
  suggestion: [suggested('cart'), suggested('web', [])],
  workloads: [workload('web'), workload('cart')],
  held: {},
  gateways: new Set(),
  rootNamespace: 'istio-system',
  policies: [],
};

const made = (fields: Partial<StageOf>): readonly string[] =>
  objectsOf({ ...STAGE, ...fields }).map((object) => {
    const { metadata, spec } = object;
    const dryRun = metadata.annotations?.['istio.io/dry-run'] === 'true' ? ' (dry run)' : '';
    const rules = spec['rules'];
    const lets =
      object.kind === 'PeerAuthentication'
        ? ''
        : Array.isArray(rules)
          ? JSON.stringify(rules) === '[{}]'
            ? ' all'
            : ' some'
          : ' none';
    return `${metadata.name}${lets}${dryRun}`;
  });

describe('objects of a stage', () => {
  const expected: readonly (readonly [Stage, readonly string[]])[] = [
    ['observe', []],
    ['strict', ['rollout-strict']],
    [
      'dry-run',
      ['rollout-strict', 'rollout-cart some (dry run)', 'rollout-web none (dry run)', 'rollout-allow-nothing none (dry run)'],
    ],
    ['enforce', ['rollout-strict', 'rollout-cart some', 'rollout-web none', 'rollout-allow-nothing none']],
  ];
  for (const [stage, names] of expected) it(stage, () => assert.deepEqual(made({ stage }), names));

  it('an excepted workload stays at its stage, and the policy for all does not close it', () => {
    const rest = ['rollout-web none', 'rollout-allow-nothing none'];
    assert.deepEqual(made({ held: { cart: 'observe' } }), [
      'rollout-permissive-cart',
      'rollout-strict',
      'rollout-open-cart all',
      ...rest,
    ]);
    assert.deepEqual(made({ held: { cart: 'strict' } }), ['rollout-strict', 'rollout-open-cart all', ...rest]);
    assert.deepEqual(made({ held: { cart: 'dry-run' } }), [
      'rollout-strict',
      'rollout-cart some (dry run)',
      'rollout-open-cart all',
      ...rest,
    ]);
    assert.ok(made({ suggestion: [], held: { cart: 'strict' } }).includes('rollout-open-cart all'), 'without a suggestion too');
  });

  it('a gateway stays open to those outside', () => {
    assert.ok(made({ gateways: new Set(['web']) }).includes('rollout-web all'));
    assert.ok(made({ stage: 'dry-run', gateways: new Set(['web']) }).includes('rollout-web all (dry run)'));
  });

  it('nothing is opened beyond what policies of others allow', () => {
    const mine = policy('shop', 'mine', { selector: { app: 'cart' }, rules: [rule({})] });
    for (const fields of [{ held: { cart: 'observe' as const } }, { gateways: new Set(['cart']) }]) {
      assert.ok(made(fields).some((one) => one.endsWith(' all')));
      assert.ok(!made({ ...fields, policies: [mine] }).some((one) => one.endsWith(' all')), JSON.stringify(fields));
    }
    assert.ok(made({ gateways: new Set(['cart']), policies: [{ ...mine, dryRun: true }] }).includes('rollout-cart all'));
  });

  it('a rule without callers lets nobody in', () => {
    const [first] = suggested('cart').rules;
    assert.ok(first !== undefined);
    const broken = { ...suggested('cart'), rules: [{ ...first, principals: [] }] };
    assert.ok(made({ suggestion: [broken] }).includes('rollout-cart none'));
  });

  it('workloads of which nothing is known are left to the policy for all', () =>
    assert.deepEqual(made({ suggestion: [] }), ['rollout-strict', 'rollout-allow-nothing none']));

  it('names do not meet', () => {
    const names = ['allow-nothing', 'open-cart', 'cart'];
    const all = objectsOf({
      ...STAGE,
      workloads: names.map((name) => workload(name)),
      suggestion: names.map((name) => suggested(name)),
      held: { cart: 'strict' },
    });
    assert.equal(new Set(all.map(objectName)).size, all.length);
  });

  it('each but the two for the namespace selects something', () => {
    for (const held of [{}, { cart: 'observe' as const }])
      for (const { metadata, spec } of objectsOf({ ...STAGE, held })) {
        const wide = metadata.name === 'rollout-strict' || metadata.name === 'rollout-allow-nothing';
        assert.equal(spec['selector'] === undefined, wide, metadata.name);
      }
  });

  it('are admitted without a word, and tell their stage', () => {
    for (const [stage] of expected) {
      const all = objectsOf({ ...STAGE, stage, held: { web: 'observe' }, suggestion: [suggested('cart')] });
      const { snapshot, said } = admitted(all);
      assert.deepEqual(said, [], stage);
      assert.equal(stageThere(rollout(), configuredIn(snapshot, 'shop', 0)), stage);
    }
  });
});

function admitted(objects: readonly RolloutObject[]) {
  const folder = new TestFolder();
  try {
    const file = folder.write('rollout.yaml', objects.length === 0 ? '' : objects.map((one) => stringify(one)).join('---\n'));
    const { snapshot, diagnostics } = loadMesh({ paths: [file] });
    return { snapshot, said: diagnostics.filter(({ severity, code }) => severity === 'error' || code === 'unknown-field') };
  } finally {
    folder.dispose();
  }
}

describe('labels that select one workload', () => {
  it(`select it and nothing else, whatever labels there are (seed ${SEED})`, () => {
    const labels = fc.dictionary(
      fc.constantFrom('app', 'version', 'tier', 'team', 'pod-template-hash'),
      fc.constantFrom('a', 'b'),
    );
    fc.assert(
      fc.property(fc.array(labels, { minLength: 1, maxLength: 6 }), (all) => {
        const workloads = all.map((one, at) => workload(`w${at}`, one));
        for (const one of workloads) {
          const selector = selectorOf(one, workloads);
          const others = workloads.filter((other) => other !== one);
          const { 'pod-template-hash': _, ...lasting } = one.labels;
          const canBe = Object.keys(lasting).length > 0 && !others.some((other) => selects(lasting, other.labels));
          assert.equal(selector !== undefined, canBe);
          if (selector === undefined) continue;
          assert.ok(Object.keys(selector).length > 0 && selects(selector, one.labels));
          assert.ok(!others.some((other) => selects(selector, other.labels)));
        }
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  const cases: readonly (readonly [string, Workload, readonly Workload[], unknown])[] = [
    ['its app', workload('a'), [workload('b')], { app: 'a' }],
    [
      'its app and version where others share the app',
      workload('r1', { app: 'reviews', version: 'v1', team: 'x' }),
      [workload('r2', { app: 'reviews', version: 'v2', team: 'x' })],
      { app: 'reviews', version: 'v1' },
    ],
    [
      'the one that names it where others share the app',
      workload('a', { app: 'x', 'app.kubernetes.io/name': 'a' }),
      [workload('b', { app: 'x', 'app.kubernetes.io/name': 'b' })],
      { 'app.kubernetes.io/name': 'a' },
    ],
    [
      'any that tell it from others where the usual ones do not',
      workload('a', { tier: 'x', team: 'y', zone: 'z' }),
      [workload('b', { tier: 'x', zone: 'z' }), workload('c', { tier: 'x', team: 'y' })],
      { team: 'y', tier: 'x', zone: 'z' },
    ],
    [
      'none where only a label tells it that each roll-out changes',
      workload('a', { app: 'x', 'pod-template-hash': '1' }),
      [workload('b', { app: 'x', 'pod-template-hash': '2' })],
      undefined,
    ],
    ['none where another has them all', workload('a', { app: 'x' }), [workload('b', { app: 'x', version: 'v1' })], undefined],
    ['none where it has none', workload('a', {}), [], undefined],
  ];
  for (const [name, one, others, expected] of cases)
    it(name, () => assert.deepEqual(selectorOf(one, [one, ...others]), expected));
});
