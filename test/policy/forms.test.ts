// Which form the ALLOW rules of a workload take, and that configuration stays linear in what policies say.
import assert from 'node:assert/strict';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import * as fc from 'fast-check';
import { RBACSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import type { AuthorizationPolicy, Rule } from '../../mesh/model/authorization-policy.ts';
import { httpRbac } from '../../policy/compile/authorization.ts';
import { tcpRbac } from '../../policy/compile/tcp-authorization.ts';
import { policiesFor } from '../../policy/select.ts';
import { valueOf } from '../../policy/evaluate/text.ts';
import { given, operation, policy, rule, snapshot, source } from './model.ts';

const WORKLOAD = { namespace: 'shop', labels: { app: 'web' } };
const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);

const account = (index: number): string => `cluster.local/ns/team-${index % 7}/sa/service-${index}`;
const callers = (...names: readonly string[]) => [source({ principals: given(names.map(valueOf)) })];
const to = (path: string) => [operation({ methods: given([valueOf('GET')]), paths: given([valueOf(path)]) })];
const many = (make: (index: number) => Rule, count = 40): readonly AuthorizationPolicy[] =>
  Array.from({ length: count }, (_, index) => policy('shop', `p${index}`, { rules: [make(index)] }));

function formOf(policies: readonly AuthorizationPolicy[]): string {
  const { allow } = httpRbac(snapshot({ authorizationPolicies: policies }), WORKLOAD);
  const config = allow && anyUnpack(allow, RBACSchema);
  return config?.matcher !== undefined ? 'matcher' : config?.rules !== undefined ? 'rules' : 'none';
}

const one = (index: number): Rule => rule({ from: callers(account(index)), to: to('/api') });

describe('policy, forms', () => {
  it('many callers of the same paths are looked up; a few are compared', () => {
    assert.equal(formOf(many(one)), 'matcher');
    assert.equal(formOf(many(one, 3)), 'rules');
  });

  it('rules stay rules where a tree could say something else', () => {
    const with_ = (last: Rule): string => formOf([...many(one), policy('shop', 'z', { rules: [last] })]);
    assert.equal(with_(rule({ from: callers(account(1)), to: to('/other') })), 'matcher');
    assert.equal(with_(rule({ from: callers('cluster.local/ns/*') })), 'matcher');
    // A header may come twice, and a matcher reads its lines joined.
    const header = { key: 'request.headers[x-role]', values: given(['admin']) };
    assert.equal(with_(rule({ from: callers(account(1)), when: [header] })), 'rules');
    // The wildcards of a template would take the query in.
    const template = operation({ paths: given([{ kind: 'template', value: '/a/{**}/b' } as const]) });
    assert.equal(with_(rule({ from: callers(account(1)), to: [template] })), 'rules');
    const token = source({ requestPrincipals: given([valueOf('*')]) });
    assert.equal(with_(rule({ from: [token] })), 'rules');
    const address = source({ ipBlocks: given(['10.0.0.0/8']) });
    assert.equal(with_(rule({ from: [address] })), 'rules');
  });

  it('what denies is never a tree: a miss would let through', () => {
    const denying = many(one, 200).map((each) => ({ ...each, action: 'DENY' as const }));
    const { deny } = httpRbac(snapshot({ authorizationPolicies: denying }), WORKLOAD);
    const config = deny && anyUnpack(deny, RBACSchema);
    assert.equal(config?.matcher, undefined);
    // The rules, and the one against peers in doubt.
    assert.equal(Object.keys(config?.rules?.policies ?? {}).length, 201);
  });

  it('what denies by default has no name of its own, as with rules', () => {
    const { allow } = httpRbac(snapshot({ authorizationPolicies: many(one) }), WORKLOAD);
    assert.equal((allow && anyUnpack(allow, RBACSchema))?.matcher?.onNoMatch, undefined);
  });

  it('a tree that would repeat too much stays rules', () => {
    const paths = Array.from({ length: 40 }, (_, index) => valueOf(`/a/long/path/of/its/own/${index}`));
    const wide = (index: number): Rule =>
      rule({
        from: callers(...[0, 1, 2, 3].map((step) => account(index * 4 + step))),
        to: [operation({ paths: given(paths.slice(index % 2)) }), operation({ paths: given([valueOf(`/own/${index}`)]) })],
      });
    const config = httpRbac(snapshot({ authorizationPolicies: many(wide) }), WORKLOAD).allow;
    assert.ok((config?.value.length ?? 0) < 4.5 * JSON.stringify(many(wide).map(({ rules }) => rules)).length);
  });

  it(`configuration is linear in what policies say (seed ${SEED})`, () => {
    const names = fc.uniqueArray(fc.nat({ max: 60 }).map(account), { minLength: 1, maxLength: 12 });
    const paths = fc.uniqueArray(
      fc.nat({ max: 30 }).map((index) => `/path/${index}`),
      { minLength: 1, maxLength: 12 },
    );
    const rules = fc.record({ names, paths, wild: fc.boolean() }).map(({ names: who, paths: where, wild }) =>
      rule({
        from: callers(...who, ...(wild ? ['cluster.local/ns/any/*'] : [])),
        to: [operation({ paths: given(where.map(valueOf)) })],
      }),
    );
    fc.assert(
      fc.property(fc.array(rules, { minLength: 1, maxLength: 80 }), (made) => {
        const policies = made.map((each, index) => policy('shop', `policy-${index}`, { rules: [each] }));
        const mesh = snapshot({ authorizationPolicies: policies });
        const said = JSON.stringify(policies.map(({ meta, rules: own }) => [meta.namespace, meta.name, own])).length;
        const http = httpRbac(mesh, WORKLOAD).allow?.value.length ?? 0;
        const tcp = tcpRbac(mesh, WORKLOAD).allow?.value.length ?? 0;
        // What policies say is here written at length, so a byte of it is worth some of the configuration.
        assert.ok(http <= 8 * said, `${http} bytes of HTTP filter for ${said}`);
        assert.ok(tcp <= 8 * said, `${tcp} bytes of TCP filter for ${said}`);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});

describe('policy, made once', () => {
  const policies = [
    policy('istio-system', 'all', {}),
    policy('shop', 'web', { selector: { app: 'web' } }),
    policy('shop', 'cart', { selector: { app: 'cart', version: 'v1' } }),
    policy('other', 'web', { selector: { app: 'web' } }),
  ];
  const mesh = snapshot({ authorizationPolicies: policies });
  const names = (found: readonly AuthorizationPolicy[]): readonly string[] =>
    found.map(({ meta }) => `${meta.namespace}/${meta.name}`);

  it('replicas and workloads under the same policies share them, and so does the next snapshot', () => {
    const web = { namespace: 'shop', labels: { app: 'web', version: 'v1' } };
    const other = { namespace: 'shop', labels: { app: 'web', version: 'v2' } };
    assert.deepEqual(names(policiesFor(mesh, web)), ['istio-system/all', 'shop/web']);
    assert.equal(policiesFor(mesh, web), policiesFor(mesh, other));
    assert.equal(httpRbac(mesh, web).allow, httpRbac(mesh, other).allow);
    const elsewhere = [...policies.slice(0, 2), policy('shop', 'cart', { selector: { app: 'cart' } }), ...policies.slice(3)];
    const next = snapshot({ number: 2, authorizationPolicies: elsewhere });
    assert.equal(httpRbac(next, web).allow, httpRbac(mesh, web).allow);
    const cart = { namespace: 'shop', labels: { app: 'cart' } };
    assert.deepEqual(names(policiesFor(mesh, cart)), ['istio-system/all']);
    assert.deepEqual(names(policiesFor(next, cart)), ['istio-system/all', 'shop/cart']);
  });

  it('other mesh settings make them anew', () => {
    const named = [policy('shop', 'web', { rules: [rule({ from: callers('cluster.local/ns/shop/sa/web') })] })];
    const before = snapshot({ authorizationPolicies: named });
    const after = snapshot({
      authorizationPolicies: named,
      meshConfig: { ...before.meshConfig, trustDomainAliases: ['old.mesh'] },
    });
    const [one_, two] = [httpRbac(before, WORKLOAD).allow, httpRbac(after, WORKLOAD).allow];
    assert.notDeepEqual(one_?.value, two?.value);
  });
});
