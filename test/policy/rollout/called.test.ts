import assert from 'node:assert/strict';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import type { Relation } from '../../../policy/observed/template.ts';
import { entriesAbout } from '../../../policy/rollout/accepted.ts';
import { calledAs } from '../../../policy/rollout/called.ts';
import { learning } from '../../../policy/rollout/learned.ts';
import { answered, call } from './scenario.ts';

const NOTHING = { workload: undefined, port: undefined };

describe('accepted calls by method and path', () => {
  const cases: readonly (readonly [paths: readonly string[], recorded: string, expected: Relation])[] = [
    [['/items'], '/items', 'all'],
    [['/items'], '/items/', 'none'],
    [['/other', '/items'], '/items', 'all'],
    [['/items/*'], '/items/a/b', 'all'],
    [['/items/*'], '/items', 'none'],
    [['*/export'], '/a/export', 'all'],
    [['*'], '/items', 'all'],
    [['*'], '{other}', 'all'],
    [['/items/{*}'], '/items/a', 'all'],
    [['/items/{*}'], '/items/a/b', 'none'],
    [['/items/{**}'], '/items/a/b', 'all'],
    // Identifiers, which records do not tell apart.
    [['/items/{id}'], '/items/{id}', 'all'],
    [['/items/{id}'], '/items/new', 'none'],
    [['/items/{id}/*'], '/items/{id}/parts', 'all'],
    [['/items/{*}'], '/items/{id}', 'all'],
    [['/items/*'], '/items/{id}/parts', 'all'],
    [['/items/{*}/parts'], '/items/{id}/parts', 'all'],
    [['/items/a1'], '/items/{id}', 'some'],
    [['/items/new'], '/items/{id}', 'none'],
    [['/items/a1', '/items/b1'], '/items/{id}', 'some'],
    [['*.png'], '/pictures/{id}', 'some'],
    [['*.png'], '/pictures/{id}.png', 'all'],
    // What records leave out altogether.
    [['/items'], '{other}', 'some'],
    [['{other}'], '{other}', 'all'],
    [['{other}'], '/items', 'none'],
    [['/items/*'], '/items/{rest}', 'all'],
    [['/items/{id}'], '{other}', 'some'],
  ];
  for (const [paths, recorded, expected] of cases)
    it(`${paths.join(' or ')} is about ${expected} of ${recorded}`, () =>
      assert.equal(calledAs({ ...NOTHING, paths }, call({ path: recorded })), expected));

  const methods: readonly (readonly [methods: readonly string[], fields: Partial<ObservedCall>, expected: Relation])[] = [
    [['GET'], {}, 'all'],
    [['POST'], {}, 'none'],
    [['P*'], { method: 'PUT' }, 'all'],
    [['*T'], {}, 'all'],
    [['*'], { method: 'OTHER' }, 'all'],
    [['PURGE'], { method: 'OTHER' }, 'some'],
    [['POST'], { protocol: 'GRPC', method: undefined }, 'all'],
    [['GET'], { method: undefined }, 'some'],
    [['*'], { protocol: 'TCP', method: undefined, path: undefined }, 'none'],
  ];
  for (const [named, fields, expected] of methods)
    it(`${named.join()} is about ${expected} of ${fields.protocol ?? 'HTTP'} ${'method' in fields ? fields.method : 'GET'}`, () =>
      assert.equal(calledAs({ ...NOTHING, methods: named }, call(fields)), expected));

  it('needs both where both are given; TCP has neither, and an entry without them is about it', () => {
    const to = { ...NOTHING, methods: ['GET'], paths: ['/items'] };
    assert.equal(calledAs(to, call()), 'all');
    assert.equal(calledAs(to, call({ path: '/export' })), 'none');
    assert.equal(calledAs(to, call({ method: 'PUT' })), 'none');
    const tcp = call({ protocol: 'TCP', method: undefined, path: undefined });
    assert.equal(calledAs({ ...NOTHING, paths: ['*'] }, tcp), 'none');
    assert.equal(calledAs(NOTHING, tcp), 'all');
  });

  const from = { principal: 'cluster.local/ns/shop/sa/*', namespace: undefined, ipBlock: undefined };
  const entry = { kind: 'denied' as const, from, to: { ...NOTHING, paths: ['/export', '/items/a1'] }, ...answered };

  it('are looked up for each of them, not for the caller alone', () => {
    const about = entriesAbout([entry, { ...entry, to: NOTHING }]);
    assert.deepEqual(
      ['/items', '/export', '/items', '/items/{id}'].map((path) => about(call({ path })).length),
      [1, 2, 1, 1],
    );
    const perhaps = entriesAbout([entry], 'perhaps');
    assert.deepEqual(
      ['/items', '/export', '/items/{id}'].map((path) => perhaps(call({ path })).length),
      [0, 1, 1],
    );
  });

  it('are not learned, nor what may be one of them', () => {
    const calls = ['/items', '/export', '/items/{id}', '{other}'].map((path) => call({ path }));
    const tcp = call({ protocol: 'TCP', method: undefined, path: undefined });
    assert.deepEqual(
      [...calls, tcp].filter(learning({ accepted: [entry] })).map(({ path, protocol }) => path ?? protocol),
      ['/items', 'TCP'],
    );
  });
});
