import assert from 'node:assert/strict';
import { type Lookup, MOST_CASES, expand } from '../../policy/expect/expand.ts';
import { coverageOf } from '../../policy/expect/coverage.ts';
import { readTests } from '../../policy/expect/read.ts';
import { runCase } from '../../policy/expect/run.ts';
import { given, policy, rule, snapshot, source } from './model.ts';

const LOOKUP: Lookup = {
  caller: (written) => {
    if (written === 'nobody') return { ok: false, reason: 'no workload "nobody"' };
    return { ok: true, value: written === 'plaintext' ? {} : { principal: `cluster.local/ns/shop/sa/${written}` } };
  },
  destination: (written) => ({
    ok: true,
    value: {
      destination: { namespace: 'shop', labels: { app: written }, port: 8080, protocol: written === 'db' ? 'TCP' : 'HTTP' },
      host: written,
    },
  }),
  everybody: ['web', 'cart', 'stranger', 'plaintext'],
};

function expanded(tests: readonly object[], defaults: object = {}): ReturnType<typeof expand> {
  const read = readTests({ given: defaults, tests });
  assert.deepEqual(read.faults, []);
  return expand(read.tests, LOOKUP);
}

describe('policy, expectations', () => {
  it('multiply', () => {
    const { cases, faults } = expanded([
      { name: 'all', from: ['web', 'cart'], to: ['users', 'fraud'], method: ['GET', 'PUT'], path: ['/a', '/b'], expect: 'DENY' },
    ]);
    assert.deepEqual([cases.length, faults], [16, []]);
    assert.equal(new Set(cases.map(({ label }) => label)).size, 16);
    assert.equal(cases[0]?.label, 'web -> users GET /a');
    assert.equal(cases[0].request.source.principal, 'spiffe://cluster.local/ns/shop/sa/web');
    assert.equal(cases[0].request.http.host, 'users');
  });

  it('deny everybody else', () => {
    const { cases } = expanded([{ name: 'only', onlyFrom: ['web'], to: 'users', by: 'shop/users' }]);
    assert.deepEqual(
      cases.map(({ label, expect, by }) => [label, expect, by]),
      [
        ['web -> users GET /', 'ALLOW', 'shop/users'],
        ['cart -> users GET /', 'DENY', undefined],
        ['stranger -> users GET /', 'DENY', undefined],
        ['plaintext -> users GET /', 'DENY', undefined],
      ],
    );
  });

  it('take what is given for all, and their own over it', () => {
    const { cases } = expanded(
      [
        { name: 'one', from: 'web', to: 'users', expect: 'ALLOW' },
        { name: 'two', given: { method: 'PUT' }, from: 'web', to: 'users', headers: { 'x-b': ['2', '3'] }, expect: 'DENY' },
      ],
      { method: 'POST', headers: { 'x-a': '1' }, jwt: { issuer: 'me' } },
    );
    assert.deepEqual(
      cases.map(({ request }) => [request.http.method, [...request.http.headers], request.token?.issuer]),
      [
        ['POST', [['x-a', ['1']]], 'me'],
        [
          'PUT',
          [
            ['x-a', ['1']],
            ['x-b', ['2', '3']],
          ],
          'me',
        ],
      ],
    );
  });

  it('ask nothing of HTTP on a TCP port', () => {
    const { cases } = expanded([{ name: 'tcp', from: 'web', to: 'db', expect: 'ALLOW' }]);
    assert.equal(cases[0]?.request.destination.protocol, 'TCP');
    assert.equal(cases[0].request.http.path, undefined);
  });

  it('say what is wrong with them, and where', () => {
    const wrong = [
      [{ name: 'a', form: 'web', expect: 'ALLOW' }, /^tests\[0\]\.form: is not known/],
      [{ name: 'a' }, /^tests\[0\]\.expect: must be ALLOW or DENY$/],
      [{ expect: 'DENY' }, /^tests\[0\]\.name: must be given$/],
      [{ name: 'a', onlyFrom: ['web'], expect: 'DENY' }, /says nothing beside onlyFrom/],
      [{ name: 'a', onlyFrom: ['web'], from: 'web' }, /both from and onlyFrom/],
      [{ name: 'a', from: [], expect: 'DENY' }, /^tests\[0\]\.from: must be text/],
      [{ name: 'a', by: 'users', expect: 'DENY' }, /NAMESPACE\/POLICY/],
      [{ name: 'a', rule: -1, expect: 'DENY' }, /counting from 0/],
      [{ name: 'a', given: { name: 'b' }, expect: 'DENY' }, /^tests\[0\]\.given\.name: is not known/],
    ] as const;
    for (const [test, said] of wrong) assert.match(readTests({ tests: [test] }).faults.join('\n'), said);
    assert.equal(readTests([]).faults.length, 1);
    assert.equal(readTests({ tests: [] }).faults.length, 1);
    assert.match(expanded([{ name: 'a', from: 'nobody', to: 'users', expect: 'DENY' }]).faults.join(), /no workload "nobody"/);
    assert.match(expanded([{ name: 'a', expect: 'DENY' }]).faults.join(), /tests\[0\]\.destination\.namespace: must be given/);
    const many = Array.from({ length: 400 }, (_, index) => `/${index}`);
    const { cases, faults } = expanded([{ name: 'a', from: 'web', to: 'users', method: many, path: many, expect: 'DENY' }]);
    assert.deepEqual([cases.length, faults.length], [0, 1]);
    assert.ok(400 * 400 > MOST_CASES);
  });

  it('pass or fail by decision, policy and rule, and tell what they touched', () => {
    const from = [source({ principals: given([{ kind: 'exact', value: 'cluster.local/ns/shop/sa/web' }]) })];
    const mesh = snapshot({
      authorizationPolicies: [
        policy('shop', 'users', {
          selector: { app: 'users' },
          rules: [rule({ from: [source({ ipBlocks: given(['10.0.0.0/8']) })] }), rule({ from })],
        }),
        policy('shop', 'fraud', { selector: { app: 'fraud' }, rules: [rule({ from })] }),
      ],
    });
    const outcome = { from: 'web', to: 'users', expect: 'ALLOW' };
    const { cases } = expanded([
      { name: 'right', ...outcome, by: 'shop/users', rule: 1 },
      { name: 'by another', ...outcome, by: 'shop/fraud' },
      { name: 'by another rule', ...outcome, rule: 0 },
      { name: 'denied', ...outcome, from: 'cart' },
    ]);
    const results = cases.map((one) => runCase(mesh, one));
    assert.deepEqual(
      results.map(({ wrong }) => wrong),
      [
        undefined,
        'expected ALLOW by shop/fraud, got ALLOW by shop/users rule 1',
        'expected ALLOW rule 0, got ALLOW by shop/users rule 1',
        'expected ALLOW, got DENY',
      ],
    );
    assert.deepEqual(
      coverageOf(mesh, results).map(({ policy, considered, rules }) => [policy, considered, rules]),
      [
        ['shop/users', 4, [0, 3]],
        ['shop/fraud', 0, [0]],
      ],
    );
  });
});
