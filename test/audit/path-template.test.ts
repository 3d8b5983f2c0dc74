import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { Cardinality, OTHER } from '../../audit/intake/cardinality.ts';
import { pathOf, templateOf } from '../../audit/intake/path-template.ts';

const SEED = 20_261_121;

describe('audit: path templates', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['/', '/'],
    ['', ''],
    ['*', '*'],
    ['/productpage', '/productpage'],
    ['/reviews/0', '/reviews/{id}'],
    ['/api/v1/users/42/orders/7', '/api/v1/users/{id}/orders/{id}'],
    ['/o/9f1c2d3e-0000-4000-8000-0123456789ab', '/o/{id}'],
    ['/blob/deadbeef01', '/blob/{id}'],
    ['/feedface', '/feedface'],
    ['/report/2026-11-21', '/report/{id}'],
    ['/img/12345.png', '/img/{id}.png'],
    ['/static/app.js', '/static/app.js'],
    ['/order-12345/items', '/order-{id}/items'],
    ['/web2/ratings-v3', '/web2/ratings-v3'],
    ['/u/someone@example.com', '/u/{id}'],
    ['/t/eyJhbGciOiJFUzI1NiJ9aaaa', '/t/{id}'],
    ['/a;jsessionid=0123/b', '/a/b'],
    ['/a?token=secret', '/a'],
    ['/a#b', '/a'],
    [`/${'x'.repeat(65)}`, '/{id}'],
    [`/${Array.from({ length: 20 }, () => 'a').join('/')}`, `/${Array.from({ length: 12 }, () => 'a').join('/')}/{rest}`],
  ];
  for (const [path, template] of cases)
    it(`${path.slice(0, 60)} -> ${template.slice(0, 60)}`, () => assert.equal(templateOf(path), template));

  const part = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[\w.;@%{}-]{0,70}$/),
    fc.uuid(),
    fc.nat().map(String),
    fc.constantFrom('{id}', '{rest}', '{other}'),
  );
  const anyPath = fc.oneof(
    fc.array(part, { maxLength: 20 }).map((parts) => `/${parts.join('/')}`),
    fc.string({ maxLength: 6000, size: 'max' }),
  );
  it(`is idempotent, bounded and without query (seed ${SEED})`, () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const template = templateOf(path);
        assert.equal(templateOf(template), template);
        assert.ok(template.length <= 1000);
        assert.equal(pathOf(template), template);
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  it('keeps so many values of a scope and so many scopes', () => {
    const bounds = new Cardinality({ perScope: 2, scopes: 1 });
    assert.deepEqual(
      ['/a', '/b', '/c', '/a'].map((value) => bounds.bound('s', value)),
      ['/a', '/b', OTHER, '/a'],
    );
    assert.equal(bounds.bound('t', '/a'), OTHER);
  });
});
