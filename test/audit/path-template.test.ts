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
    ['/reports/2026-11', '/reports/{id}'],
    ['/slots/12:30', '/slots/{id}'],
    ['/call/+49-30-1234567', '/call/{id}'],
    ['/map/52.5,-13.4', '/map/{id}'],
    ['/thumb/640x480.png', '/thumb/{id}.png'],
    ['/hosts/2001:db8::1', '/hosts/{id}'],
    ['/customers/cus_NffrFeUfNV2Hib', '/customers/cus_{id}'],
    ['/pods/my-web-9f8e7d6c5b4a', '/pods/my-web-{id}'],
    ['/order12345/items', '/order{id}/items'],
    ['/sha256/utf8/ipv4/oauth2/v2beta1', '/sha256/utf8/ipv4/oauth2/v2beta1'],
    ['/ratings-v3/ProductV2Details', '/ratings-v3/ProductV2Details'],
    ['/u/someone@example.com', '/u/{id}'],
    ['/t/eyJhbGciOiJFUzI1NiJ9aaaa', '/t/{id}'],
    ['/a;jsessionid=0123/b', '/a;{id}/b'],
    ['/orders/12;v=2', '/orders/{id}'],
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

  const hex = (length: number) =>
    fc
      .array(
        fc.nat(15).map((digit) => digit.toString(16)),
        { minLength: length, maxLength: length },
      )
      .map((digits) => digits.join(''))
      .filter((text) => /\d/.test(text));
  const identifier = fc.oneof(
    fc.uuid(),
    fc.uuid().map((text) => text.toUpperCase()),
    fc.nat().map(String),
    fc.bigInt({ min: 0n, max: 1n << 64n }).map(String),
    ...[8, 12, 24, 32, 40, 64].map(hex),
    fc.ulid().filter((text) => /\d/.test(text)),
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }).map((date) => date.toISOString()),
    fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') })
      .map((date) => date.toISOString().slice(0, 10)),
    fc.ipV4(),
    fc.emailAddress().filter((text) => !/[;?#/]/.test(text)),
  );
  it(`is one for all identifiers of a place (seed ${SEED})`, () => {
    fc.assert(
      fc.property(identifier, (value) => assert.equal(templateOf(`/users/${value}/orders`), '/users/{id}/orders')),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it(`leaves words alone (seed ${SEED})`, () => {
    const word = fc.stringMatching(/^[a-zA-Z]{1,20}([-_.][a-zA-Z]{1,20}){0,2}$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 10 }), (words) => {
        const path = `/${words.filter((text) => text.length <= 60).join('/')}`;
        assert.equal(templateOf(path), path);
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
