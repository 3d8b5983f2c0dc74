import * as fc from 'fast-check';
import type { Operation, PolicyMatch, Rule } from '../../../mesh/model/authorization-policy.ts';
import { valueOf } from '../../../policy/evaluate/text.ts';
import { given, MESH_CONFIG, operation, policy, rule, source } from '../model.ts';
import type { World } from './policies.ts';

// Worlds with many small rules that grant, of the kinds that are compiled to a tree of maps. Callers and conditions are few, so that rules
// overlap in all ways: the first of several that match must be the one that is named.

const EXACT = [
  'cluster.local/ns/shop/sa/web',
  'cluster.local/ns/shop/sa/web2',
  'cluster.local/ns/shop-x/sa/web',
  'old.mesh/ns/shop/sa/web',
  'cluster.local/ns/ops/sa/root',
  'cluster.local/ns/shop/sa/nobody',
  'cluster.local/ns/shop/sa/web,spiffe://cluster.local/ns/ops/sa/root',
];
const WILD = ['*', 'cluster.local/ns/shop/*', '*/sa/web', 'foreign.org/*'];
const PATHS = [
  '/admin',
  '/admin*',
  '/admin/*',
  '/a',
  '/a/b',
  '*/x',
  '*.txt',
  '*',
  '/',
  '/admin?q=1',
  '/store*',
  '/ADMIN',
  '/a.b',
];
const METHODS = ['GET', 'POST', 'P*', '*T', '*', 'get'];
const HOSTS = ['app.example', 'APP.example', '*.example', 'app.*', '*', 'app.example:8080', 'other.example'];

const some = (pool: readonly string[]): fc.Arbitrary<readonly PolicyMatch[]> =>
  fc.uniqueArray(fc.constantFrom(...pool), { minLength: 1, maxLength: 3 }).map((texts) => texts.map(valueOf));

function condition(pool: readonly string[]) {
  return fc.oneof(
    { weight: 5, arbitrary: some(pool).map((values) => given(values)) },
    { weight: 1, arbitrary: some(pool).map((values) => given([], values)) },
  );
}

const operations: fc.Arbitrary<Operation> = fc
  .record(
    {
      paths: condition(PATHS),
      methods: condition(METHODS),
      hosts: condition(HOSTS),
      ports: fc.constantFrom(given([8080]), given([1]), given([], [9090])),
    },
    { requiredKeys: [] },
  )
  .map(operation);

const from = fc.oneof(
  // More than a few are one expression where they are not keys.
  {
    weight: 6,
    arbitrary: fc.subarray(EXACT, { minLength: 5 }).map((texts) => [source({ principals: given(texts.map(valueOf)) })]),
  },
  { weight: 60, arbitrary: some(EXACT).map((values) => [source({ principals: given(values) })]) },
  {
    weight: 3,
    arbitrary: some(EXACT).map((values) => [source({ principals: given(values), namespaces: given([valueOf('shop')]) })]),
  },
  { weight: 1, arbitrary: some(WILD).map((values) => [source({ principals: given(values) })]) },
  { weight: 1, arbitrary: some(EXACT).map((values) => [source({ principals: given([], values) })]) },
  { weight: 1, arbitrary: fc.constant([]) },
);

/** Rules over a few operations, each used by many of them. */
const rules: fc.Arbitrary<readonly Rule[]> = fc
  .record({
    shared: fc.array(fc.array(operations, { maxLength: 2 }), { minLength: 1, maxLength: 4 }),
    drafts: fc.array(fc.record({ from, operation: fc.nat() }), { minLength: 20, maxLength: 60 }),
  })
  .map(({ shared, drafts }) =>
    drafts.map((draft) => rule({ from: draft.from, to: shared[draft.operation % shared.length] ?? [] })),
  );

/** Of names that sort in another order than they are written in. */
const name = (index: number): string => `p${(index * 37) % 101}`;

export const crowdedWorlds: fc.Arbitrary<World> = fc
  .record({
    rules,
    denied: fc.option(some(['old.mesh/ns/shop/sa/web', '*/sa/web2'])),
    mode: fc.constantFrom('NONE' as const, 'BASE' as const, 'MERGE_SLASHES' as const, 'DECODE_AND_MERGE_SLASHES' as const),
    lax: fc.boolean(),
    dryRun: fc.boolean(),
  })
  .map(({ rules: made, denied, mode, lax, dryRun }) => ({
    policies: [
      ...made.map((one, index) => policy(index % 9 === 0 ? 'istio-system' : 'shop', name(index), { rules: [one] })),
      ...(denied === null
        ? []
        : [policy('shop', 'denied', { action: 'DENY', rules: [rule({ from: [source({ principals: given(denied) })] })] })]),
      ...(dryRun ? [policy('shop', 'tried', { dryRun: true, rules: made.slice(0, 2) })] : []),
    ],
    meshConfig: { ...MESH_CONFIG, pathNormalization: mode },
    strict: false,
    lax,
    dualStack: false,
    authentications: [],
  }));
