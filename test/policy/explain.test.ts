import assert from 'node:assert/strict';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { evaluate } from '../../policy/evaluate/evaluate.ts';
import { type Explanation, explain } from '../../policy/evaluate/explain.ts';
import { valueOf } from '../../policy/evaluate/text.ts';
import { given, operation, peerAuthentication, policy, port, request, rule, snapshot, source } from './model.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const values = (...texts: readonly string[]) => given(texts.map(valueOf));

const denyAdmin = policy('istio-system', 'no-admin', {
  action: 'DENY',
  rules: [rule({ to: [operation({ paths: values('/admin*') })] })],
});
const allowCart = policy('shop', 'cart', {
  rules: [
    rule({
      from: [source({ namespaces: values('ops') }), source({ principals: values('cluster.local/ns/shop/sa/cart') })],
      to: [operation({ methods: values('POST') }), operation({ methods: values('GET'), paths: values('/carts/*') })],
      when: [{ key: 'request.headers[x-role]', values: given(['admin']) }],
    }),
  ],
});
const trial = policy('shop', 'trial', { dryRun: true, rules: [rule({ from: [source({ principals: values('*') })] })] });

function ask(policies: readonly AuthorizationPolicy[], path = '/carts/7', strict = false): Explanation {
  const mesh = snapshot({
    authorizationPolicies: policies,
    peerAuthentications: strict ? [peerAuthentication('shop', 'default', { mode: 'STRICT' })] : [],
  });
  const question = request({
    source: { principal: strict ? undefined : WEB },
    destination: { port: port(8080) },
    http: { method: 'GET', host: 'cart', path },
  });
  const explanation = explain(mesh, question);
  assert.deepEqual(explanation.verdict, evaluate(mesh, question));
  return explanation;
}

describe('policy, explain', () => {
  it('lists policies in the order in which they are considered', () => {
    const { policies, shadow } = ask([trial, allowCart, denyAdmin]);
    assert.deepEqual(
      policies.map(({ policy, action, dryRun, reached, decided }) => ({ policy, action, dryRun, reached, decided })),
      [
        { policy: 'istio-system/no-admin', action: 'DENY', dryRun: false, reached: true, decided: false },
        { policy: 'shop/cart', action: 'ALLOW', dryRun: false, reached: true, decided: false },
        { policy: 'shop/trial', action: 'ALLOW', dryRun: true, reached: true, decided: false },
      ],
    );
    assert.deepEqual(shadow, { deny: undefined, allow: { decision: 'ALLOW', policy: 'shop/trial', rule: 0 } });
  });

  it('names the condition that fails, in the source and the operation that come nearest', () => {
    const { nearest, policies } = ask([allowCart]);
    const why = 'namespaces: spiffe://cluster.local/ns/shop/sa/web is not one of ops';
    assert.deepEqual(nearest, { policy: 'shop/cart', rule: 0, failed: { at: 'from[0]', field: 'namespaces', why } });
    assert.deepEqual(policies[0]?.rules, [
      {
        rule: 0,
        matched: 'no',
        counts: false,
        met: 2,
        conditions: 4,
        failed: { at: 'from[0]', field: 'namespaces', why },
      },
    ]);
  });

  it('says which policy decided, and which were not asked any more', () => {
    const { verdict, policies } = ask([allowCart, denyAdmin], '/admin');
    assert.equal(verdict.policy, 'istio-system/no-admin');
    assert.deepEqual(
      policies.map(({ policy, reached, decided }) => [policy, reached, decided]),
      [
        ['istio-system/no-admin', true, true],
        ['shop/cart', false, false],
      ],
    );
  });

  it('ends at mutual TLS where that is asked for and missing', () => {
    const { mtls, policies, token } = ask([allowCart], '/', true);
    assert.deepEqual(mtls, { mode: 'STRICT', setBy: 'shop/default', passed: false, peer: undefined });
    assert.deepEqual([policies[0]?.reached, token], [false, undefined]);
  });

  it('says of a condition that cannot be decided what it counts as', () => {
    const odd = { rules: [rule({ when: [{ key: 'request.teapot', values: given(['yes']) }] })] };
    const { policies } = ask([policy('shop', 'a', odd), policy('shop', 'd', { ...odd, action: 'DENY' })]);
    assert.deepEqual(
      policies.map(({ policy, rules: [first] }) => [policy, first?.matched, first?.counts]),
      [
        ['shop/d', 'unknown', true],
        ['shop/a', 'unknown', false],
      ],
    );
  });
});
