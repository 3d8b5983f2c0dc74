import assert from 'node:assert/strict';
import { admitDocument } from '../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../mesh/admit/node.ts';

function admission(spec: unknown, apiVersion = 'gatehouse.dev/v1alpha1', kind = 'RateLimit') {
  const object = { apiVersion, kind, metadata: { name: 'limits', namespace: 'shop' }, spec };
  return admitDocument(
    { file: 'limits.yaml', offset: 0, node: nodeOf(object, 1) },
    { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'shop' },
  );
}

const found = (spec: unknown): readonly string[] =>
  admission(spec).diagnostics.map(({ severity, code, field }) => `${severity} ${code} ${field ?? ''}`);

const one = (fields: object): object => ({ limits: [{ name: 'a', requests: 5, per: '1s', ...fields }] });

describe('RateLimit, admission', () => {
  const cases: readonly (readonly [string, unknown, readonly string[]])[] = [
    ['a plain limit', one({}), []],
    ['a burst', one({ burst: 50 }), []],
    ['each client', one({ by: 'clientAddress' }), []],
    ['each user', one({ by: { header: 'X-User' } }), []],
    ['addresses of both families', one({ clientAddresses: ['192.0.2.0/24', '2001:db8::1'] }), []],
    [
      'every match',
      one({ match: { uri: { prefix: '/a' }, method: { exact: 'GET' }, authority: { regex: '.*' }, headers: { a: {} } } }),
      [],
    ],
    ['no limits', {}, ['error missing-field spec.limits']],
    ['an empty list', { limits: [] }, ['error missing-field spec.limits']],
    ['no name', { limits: [{ requests: 5, per: '1s' }] }, ['error missing-field spec.limits[0].name']],
    ['a bad name', one({ name: 'A b' }), ['error bad-name spec.limits[0].name']],
    [
      'two of one name',
      {
        limits: [
          { name: 'a', requests: 1, per: '1s' },
          { name: 'a', requests: 1, per: '1s' },
        ],
      },
      ['error duplicate spec.limits[1]'],
    ],
    ['no requests', { limits: [{ name: 'a', per: '1s' }] }, ['error missing-field spec.limits[0].requests']],
    ['zero requests', one({ requests: 0 }), ['error out-of-range spec.limits[0].requests']],
    ['fewer than none', one({ requests: -1 }), ['error out-of-range spec.limits[0].requests']],
    ['zero at once', one({ burst: 0 }), ['error out-of-range spec.limits[0].burst']],
    ['no time', { limits: [{ name: 'a', requests: 1 }] }, ['error missing-field spec.limits[0].per']],
    ['a time without unit', one({ per: 1 }), ['error bad-duration spec.limits[0].per']],
    ['a time that Envoy refuses', one({ per: '49ms' }), ['error out-of-range spec.limits[0].per']],
    ['two days', one({ per: '48h' }), ['error out-of-range spec.limits[0].per']],
    ['a bad block', one({ clientAddresses: ['10.0.0.0/33'] }), ['error bad-address spec.limits[0].clientAddresses[0]']],
    ['no address', one({ clientAddresses: [] }), ['error missing-field spec.limits[0].clientAddresses']],
    ['an unknown kind of bucket', one({ by: 'user' }), ['error unknown-value spec.limits[0].by']],
    ['buckets by no header', one({ by: { header: ':path' } }), ['error bad-header spec.limits[0].by.header']],
    ['buckets by nothing', one({ by: {} }), ['error bad-header spec.limits[0].by.header']],
    ['a match that says nothing', one({ match: {} }), ['error missing-field spec.limits[0].match']],
    ['a match of no headers', one({ match: { headers: {} } }), ['error missing-field spec.limits[0].match']],
    [
      'a claim',
      one({ match: { headers: { '@request.auth.claims.sub': { exact: 'a' } } } }),
      ['error bad-header spec.limits[0].match.headers'],
    ],
    ['a bad expression', one({ match: { uri: { regex: '(' } } }), ['error invalid-regex spec.limits[0].match.uri.regex']],
    [
      'a text too long to compile',
      one({ match: { uri: { exact: `/${'a'.repeat(1000)}` } } }),
      ['error out-of-range spec.limits[0].match.uri'],
    ],
    [
      'an expression too long with a query behind',
      one({ match: { uri: { regex: 'a'.repeat(1020) } } }),
      ['error out-of-range spec.limits[0].match.uri'],
    ],
    ['a status', one({ status: 503 }), ['error unknown-field spec.limits[0].status']],
    [
      'a wildcard label',
      { selector: { matchLabels: { app: '*' } }, ...one({}) },
      ['error bad-selector spec.selector.matchLabels.app'],
    ],
  ];
  for (const [name, spec, expected] of cases) it(name, () => assert.deepEqual(found(spec), expected));

  it('keeps what was written, and what was left out at its default', () => {
    const [admitted] = admission(one({ by: { header: 'X-User' }, per: '1m' })).admitted;
    assert.ok(admitted?.object.kind === 'RateLimit');
    assert.deepEqual(admitted.object.value.limits, [
      {
        name: 'a',
        requests: 5,
        perMs: 60_000,
        burst: 5,
        match: undefined,
        clientAddresses: [],
        by: { kind: 'header', name: 'x-user' },
      },
    ]);
  });

  it('knows the API group: other versions and kinds of it are errors', () => {
    const codes = (apiVersion: string, kind: string) => admission(one({}), apiVersion, kind).diagnostics.map(({ code }) => code);
    assert.deepEqual(codes('gatehouse.dev/v1', 'RateLimit'), ['unknown-version']);
    assert.deepEqual(codes('gatehouse.dev/v1alpha1', 'RateLimits'), ['unknown-kind']);
    assert.deepEqual(codes('example.com/v1', 'RateLimit'), []);
  });
});
