import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { findings } from '../../cli/input/findings.ts';
import { admitDocument } from '../../mesh/admit/admit.ts';
import type { Admitted } from '../../mesh/admit/mesh-object.ts';
import { MeshStore } from '../../mesh/admit/store/mesh-store.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../mesh/admit/node.ts';
import type { NamespaceRollout } from '../../mesh/model/namespace-rollout.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { TestFolder } from './folder.ts';

function admission(spec: unknown, namespace = 'shop') {
  const object = { apiVersion: 'gatehouse.dev/v1alpha1', kind: 'NamespaceRollout', metadata: { name: 'shop', namespace }, spec };
  return admitDocument(
    { file: 'shop.yaml', offset: 0, node: nodeOf(object, 1) },
    { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'shop' },
  );
}

function read(spec: unknown): NamespaceRollout {
  const { admitted, diagnostics } = admission(spec);
  const object = admitted[0]?.object;
  assert.ok(object?.kind === 'NamespaceRollout', JSON.stringify(diagnostics));
  return object.value;
}

const found = (spec: unknown, namespace?: string): readonly string[] =>
  admission(spec, namespace).diagnostics.map(({ severity, code, field }) => `${severity} ${code} ${field ?? ''}`);

const answered = { owner: 'team@example.com', reason: 'until its sidecar comes', until: '2027-01-31' };
const accepted = (fields: object): object => ({
  accepted: [{ kind: 'PlainText', from: { namespace: 'legacy' }, ...answered, ...fields }],
});
const excepted = (fields: object): object => ({ exceptions: [{ workload: 'cart', upTo: 'observe', ...answered, ...fields }] });

describe('NamespaceRollout, admission', () => {
  it('defaults are there in an empty spec', () => {
    const { target, advance, paused, gates, rollback } = read({});
    assert.deepEqual(
      { target, advance, paused, gates, rollback },
      {
        target: 'enforce',
        advance: 'Manual',
        paused: false,
        gates: {
          strict: { observedForMs: 86_400_000, requests: 100 },
          'dry-run': { observedForMs: 0, requests: 0 },
          enforce: { observedForMs: 604_800_000, requests: 1000 },
        },
        rollback: { denials: 10, withinMs: 600_000 },
      },
    );
  });

  it('a whole one is read', () => {
    const rollout = read({
      target: 'dry-run',
      advance: 'Propose',
      paused: true,
      gates: {
        strict: { observedFor: '1h', requests: 5 },
        dryRun: { observedFor: '30m' },
        enforce: { observedFor: '0s', requests: 0 },
      },
      accepted: [
        {
          kind: 'Denied',
          from: { principal: 'spiffe://cluster.local/ns/shop/sa/*' },
          to: {
            workload: 'cart',
            port: 80,
            methods: ['GET', 'P*'],
            paths: ['/a', '/b/*', '*.png', '/c/{*}/d', '/e/{id}', '{other}'],
          },
          ...answered,
        },
      ],
      exceptions: [{ workload: 'db', upTo: 'dry-run', ...answered, until: '2027-01-31T18:00:00+01:00' }],
      rollback: { denials: 0, within: '1m' },
    });
    assert.deepEqual(rollout.gates, {
      strict: { observedForMs: 3_600_000, requests: 5 },
      'dry-run': { observedForMs: 1_800_000, requests: 0 },
      enforce: { observedForMs: 0, requests: 0 },
    });
    assert.deepEqual(rollout.accepted[0]?.from.principal, 'cluster.local/ns/shop/sa/*');
    assert.deepEqual(rollout.accepted[0]?.to.methods, ['GET', 'P*']);
    assert.deepEqual(rollout.accepted[0]?.to.paths, ['/a', '/b/*', '*.png', '/c/{*}/d', '/e/{id}', '{other}']);
    assert.equal(rollout.accepted[0]?.until, Date.parse('2027-02-01T00:00:00Z'), 'the day itself is part of it');
    assert.equal(rollout.exceptions[0]?.until, Date.parse('2027-01-31T17:00:00Z'));
  });

  const cases: readonly (readonly [string, unknown, readonly string[]])[] = [
    ['an accepted namespace', accepted({}), []],
    ['an accepted block', accepted({ from: { ipBlock: '10.0.0.0/8' } }), []],
    ['an unknown field', { stage: 'strict' }, ['error unknown-field spec.stage']],
    ['an unknown stage', { target: 'Strict' }, ['error unknown-value spec.target']],
    ['an unknown way', { advance: 'auto' }, ['error unknown-value spec.advance']],
    ['a gate without unit', { gates: { strict: { observedFor: 24 } } }, ['error bad-duration spec.gates.strict.observedFor']],
    ['a gate of years', { gates: { strict: { observedFor: '9000h' } } }, ['error out-of-range spec.gates.strict.observedFor']],
    ['a gate of observe', { gates: { observe: {} } }, ['error unknown-field spec.gates.observe']],
    ['a gate as stages are named', { gates: { 'dry-run': {} } }, ['error unknown-field spec.gates.dry-run']],
    ['fewer than no requests', { gates: { enforce: { requests: -1 } } }, ['error out-of-range spec.gates.enforce.requests']],
    ['no end', accepted({ until: undefined }), ['error missing-field spec.accepted[0].until']],
    ['no owner', accepted({ owner: '  ' }), ['error missing-field spec.accepted[0].owner']],
    ['no reason', accepted({ reason: '' }), ['error missing-field spec.accepted[0].reason']],
    ['a word for a date', accepted({ until: 'tomorrow' }), ['error bad-date spec.accepted[0].until']],
    ['a day that is not there', accepted({ until: '2027-02-30' }), ['error bad-date spec.accepted[0].until']],
    ['a time without zone', accepted({ until: '2027-02-03T10:00:00' }), ['error bad-date spec.accepted[0].until']],
    ['no kind', accepted({ kind: undefined }), ['error missing-field spec.accepted[0].kind']],
    ['a stage for a kind', accepted({ kind: 'plain-text' }), ['error unknown-value spec.accepted[0].kind']],
    ['everybody', accepted({ from: {} }), ['error missing-field spec.accepted[0].from']],
    [
      'plain text of an identity',
      accepted({ from: { principal: 'a' } }),
      ['error contradiction spec.accepted[0].from.principal'],
    ],
    [
      'an identity at an address',
      accepted({ kind: 'Denied', from: { principal: 'a', ipBlock: '10.0.0.1' } }),
      ['error contradiction spec.accepted[0].from.ipBlock'],
    ],
    [
      'a * in the middle',
      accepted({ kind: 'Denied', from: { principal: 'a/*/b' } }),
      ['error bad-principal spec.accepted[0].from.principal'],
    ],
    ['a namespace with *', accepted({ from: { namespace: 'a*' } }), ['error bad-name spec.accepted[0].from.namespace']],
    ['a bad block', accepted({ from: { ipBlock: '10.0.0.0/33' } }), ['error bad-address spec.accepted[0].from.ipBlock']],
    ['a bad port', accepted({ to: { port: 0 } }), ['error out-of-range spec.accepted[0].to.port']],
    ['no methods', accepted({ to: { methods: [] } }), ['error empty-list spec.accepted[0].to.methods']],
    ['a method in small letters', accepted({ to: { methods: ['get'] } }), ['error bad-method spec.accepted[0].to.methods[0]']],
    ['a method in between', accepted({ to: { methods: ['P*T'] } }), ['error bad-method spec.accepted[0].to.methods[0]']],
    ['methods as text', accepted({ to: { methods: 'GET' } }), ['error wrong-type spec.accepted[0].to.methods']],
    ['an empty path', accepted({ to: { paths: [''] } }), ['error missing-field spec.accepted[0].to.paths[0]']],
    ...['items', '/items?a=b', '/a/*/b', '/a/{name}', '/a/{*}/{id}', '/a/x{*}', '/users/4711', '*a*', '{id}'].map(
      (path): readonly [string, unknown, readonly string[]] => [
        `the path ${path}`,
        accepted({ to: { paths: ['/fine', path] } }),
        ['error bad-path spec.accepted[0].to.paths[1]'],
      ],
    ),
    [
      'too many paths',
      accepted({ to: { paths: Array.from({ length: 101 }, (_, at) => `/p${'x'.repeat(at)}`) } }),
      ['error out-of-range spec.accepted[0].to.paths'],
    ],
    ['a workload of a namespace', excepted({ workload: 'shop/cart' }), ['error bad-name spec.exceptions[0].workload']],
    ['an exception up to the end', excepted({ upTo: 'enforce' }), ['error contradiction spec.exceptions[0].upTo']],
    ['an exception up to nothing', excepted({ upTo: undefined }), ['error missing-field spec.exceptions[0].upTo']],
    [
      'two exceptions for one',
      {
        exceptions: [
          { workload: 'a', upTo: 'strict', ...answered },
          { workload: 'a', upTo: 'observe', ...answered },
        ],
      },
      ['error duplicate spec.exceptions[1]'],
    ],
    ['denials below zero', { rollback: { denials: -1 } }, ['error out-of-range spec.rollback.denials']],
    ['two days of rollback', { rollback: { within: '48h' } }, ['error out-of-range spec.rollback.within']],
    ['no time for rollback', { rollback: { within: '0s' } }, ['error out-of-range spec.rollback.within']],
  ];
  for (const [name, spec, expected] of cases) it(name, () => assert.deepEqual(found(spec), expected));

  it('is refused in the root namespace: its policies are for the whole mesh', () =>
    assert.deepEqual(found({}, 'istio-system'), ['error root-namespace spec']));

  it('says with each error what to do', () => {
    for (const [name, spec] of cases)
      for (const { hint } of admission(spec).diagnostics) assert.ok(hint !== undefined && hint !== '', `${name}: no hint`);
  });
});

describe('NamespaceRollout among other objects', () => {
  function together(...objects: readonly object[]): readonly string[] {
    const folder = new TestFolder();
    try {
      const file = folder.write('mesh.yaml', objects.map((object) => stringify(object)).join('---\n'));
      const { snapshot, written, diagnostics } = loadMesh({ paths: [file] });
      const all = [...diagnostics, ...findings(snapshot, written, new Date('2026-11-22T00:00:00Z'))];
      return all.map(({ severity, code, field, hint }) => `${severity} ${code} ${field ?? ''} (${hint ?? ''})`);
    } finally {
      folder.dispose();
    }
  }
  const rollout = (name: string, spec: object): object => ({
    apiVersion: 'gatehouse.dev/v1alpha1',
    kind: 'NamespaceRollout',
    metadata: { name, namespace: 'shop' },
    spec,
  });
  const cart = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'cart', namespace: 'shop' },
    spec: {
      selector: { matchLabels: { app: 'cart' } },
      template: { metadata: { labels: { app: 'cart' } }, spec: { containers: [] } },
    },
  };
  const peers = (mode: string, selector?: object): object => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'mine', namespace: 'shop' },
    spec: { mtls: { mode }, ...(selector === undefined ? {} : { selector }) },
  });
  const far = { ...answered, until: '2999-01-01' };

  it('a workload that is not there', () => {
    const found = together(cart, rollout('shop', { exceptions: [{ workload: 'carts', upTo: 'strict', ...far }] }));
    assert.deepEqual(found, ['warning no-such-workload spec.exceptions[0].workload (did you mean cart?)']);
  });

  it('two in one namespace', () => {
    assert.deepEqual(together(cart, rollout('a', {}), rollout('b', {})), [
      'warning second-rollout metadata.name (keep one of them)',
    ]);
  });

  it('a PeerAuthentication that would win, and ones that would not', () => {
    assert.match(together(cart, rollout('shop', {}), peers('PERMISSIVE')).join('\n'), /^warning overridden metadata.namespace/);
    assert.deepEqual(together(cart, rollout('shop', {}), peers('STRICT')), []);
    assert.deepEqual(together(cart, rollout('shop', {}), peers('PERMISSIVE', { matchLabels: { app: 'cart' } })), []);
    assert.deepEqual(together(cart, rollout('shop', { target: 'observe' }), peers('PERMISSIVE')), []);
  });

  it('what is over', () => {
    const found = together(
      cart,
      rollout('shop', { exceptions: [{ workload: 'cart', upTo: 'strict', ...answered, until: '2020-01-01' }] }),
    );
    assert.match(found.join('\n'), /^warning ended spec.exceptions\[0\].until \(ask team@example.com/);
  });

  it('changes nothing that proxies are configured from', () => {
    const read = (object: object): readonly Admitted[] =>
      admitDocument(
        { file: 'mesh.yaml', offset: 0, node: nodeOf(object, 1) },
        { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'shop' },
      ).admitted;
    const store = new MeshStore({ assumePods: true }, 1);
    const apply = (upserts: readonly Admitted[]): Snapshot =>
      store.apply({ upserts, removed: [], meshConfig: DEFAULT_MESH_CONFIG, otherGateways: new Set() }).snapshot;
    const before = apply([...read(cart), ...read(peers('STRICT'))]);
    const after = apply(read(rollout('shop', {})));
    assert.equal(after.namespaceRollouts?.length, 1);
    const { number: _, namespaceRollouts: __, ...same } = before;
    assert.deepEqual(
      Object.entries(same).filter(([list, value]) => Object.entries(after).find(([name]) => name === list)?.[1] !== value),
      [],
    );
  });
});
