import { strict as assert } from 'node:assert';
import * as fc from 'fast-check';
import { parseDnsName } from '../../../ca/dns/dns-name.ts';
import { dnsNamesBy, parseDnsRule } from '../../../ca/dns/rules.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { must } from '../identity/must.ts';

const id = (namespace: string, account: string) => must(parseSpiffeId(`spiffe://cluster.local/ns/${namespace}/sa/${account}`));
const may = (rules: readonly string[], namespace: string, account: string, name: string): boolean =>
  dnsNamesBy(rules.map((rule) => must(parseDnsRule(rule))))(id(namespace, account), must(parseDnsName(name)));

describe('ca/dns: who may have which DNS names', () => {
  it('gives exactly the names of a rule to exactly its identities', () => {
    const rules = ['shop/cart=cart.shop.svc,*.cart.example.org', 'shop/*=shop.example.org'];
    const cases: readonly (readonly [string, string, string, boolean])[] = [
      ['shop', 'cart', 'cart.shop.svc', true],
      ['shop', 'cart', 'a.cart.example.org', true],
      ['shop', 'cart', 'a.b.cart.example.org', false],
      ['shop', 'cart', 'cart.example.org', false],
      ['shop', 'cart', 'acart.example.org', false],
      ['shop', 'cart', 'shop.svc', false],
      ['shop', 'pay', 'cart.shop.svc', false],
      ['shop', 'pay', 'shop.example.org', true],
      ['shop2', 'cart', 'cart.shop.svc', false],
      ['shop2', 'cart', 'shop.example.org', false],
    ];
    for (const [namespace, account, name, expected] of cases)
      assert.equal(may(rules, namespace, account, name), expected, `${namespace}/${account} ${name}`);
    assert.equal(may([], 'shop', 'cart', 'cart.shop.svc'), false);
  });

  it('fills in the own namespace and account', () => {
    const rules = ['*/*={account}.{namespace}.svc,*.{account}.{namespace}.svc'];
    assert.equal(may(rules, 'shop', 'cart', 'cart.shop.svc'), true);
    assert.equal(may(rules, 'shop', 'cart', 'a.cart.shop.svc'), true);
    assert.equal(may(rules, 'shop', 'pay', 'cart.shop.svc'), false);
    assert.equal(may(rules, 'bank', 'cart', 'cart.shop.svc'), false);
  });

  it('gives nothing to what is no workload', () => {
    const rule = must(parseDnsRule('*/*=gatehouse'));
    for (const other of ['spiffe://cluster.local', 'spiffe://cluster.local/gatehouse', 'spiffe://cluster.local/ns/a/sa/b/c'])
      assert.equal(dnsNamesBy([rule])(must(parseSpiffeId(other)), must(parseDnsName('gatehouse'))), false);
  });

  it('refuses rules that say nothing, or too much', () => {
    const wrong = [
      '',
      'shop/cart',
      'shop/cart=',
      'cart=cart.svc',
      'shop/cart/x=cart.svc',
      'sh*/cart=cart.svc',
      'shop/cart=*',
      'shop/cart=*.com',
      'shop/cart=a.*.com',
      'shop/cart=Cart.svc',
      'shop/cart=cart.svc,',
      'shop/cart=a=b',
      'shop/cart={pod}.svc',
      'shop/cart=10.0.0.1',
    ];
    for (const text of wrong) assert.equal(parseDnsRule(text).ok, false, text);
  });

  it('never gives a name that does not end as the rule does (seed 20261121)', () => {
    const label = fc.stringMatching(/^[a-z0-9]{1,4}$/);
    const check = (labels: readonly string[]) => {
      const name = parseDnsName(labels.join('.'));
      if (!name.ok || !may(['*/*=*.cart.svc'], 'shop', 'cart', name.value)) return;
      assert.match(name.value, /^[^.]+\.cart\.svc$/);
    };
    const tail = fc.constantFrom(['cart', 'svc'], ['svc'], ['xcart', 'svc'], []);
    const names = fc.tuple(fc.array(label, { minLength: 1, maxLength: 3 }), tail).map(([head, end]) => [...head, ...end]);
    fc.assert(fc.property(names, check), { seed: 20261121, numRuns: 2000 });
  });
});
