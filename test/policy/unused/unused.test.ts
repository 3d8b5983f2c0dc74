import assert from 'node:assert/strict';
import { editsOf, type PolicyUse, unused } from '../../../policy/unused/unused.ts';
import { observed } from '../observed/calls.ts';
import { meshWith, policyYaml } from '../observed/mesh.ts';

const RULES = `
  - from: [{source: {principals: [cluster.local/ns/shop/sa/web, cluster.local/ns/shop/sa/cron]}}]
    to: [{operation: {methods: [GET, POST], paths: ["/users/*", "/admin"]}}]
  - from: [{source: {namespaces: [ops]}}]`;
const app = (rules: string, name = 'app', metadata = ''): string =>
  policyYaml('AuthorizationPolicy', name, `\n  selector: {matchLabels: {app: app}}\n  rules:${rules}`, metadata);

function edits(policies: readonly PolicyUse[]): readonly string[] {
  return policies.flatMap(editsOf).map(({ edit }) => edit);
}

describe('policy unused: grants that nobody used', () => {
  it('tells rules and the parts of rules, with the edit', () => {
    const { snapshot, destinations } = meshWith(app(RULES));
    assert.deepEqual(edits(unused(snapshot, destinations, [observed()])), [
      'take "cluster.local/ns/shop/sa/cron" out of principals in rule 0 of AuthorizationPolicy shop/app',
      'take "POST" out of methods in rule 0 of AuthorizationPolicy shop/app',
      'take "/admin" out of paths in rule 0 of AuthorizationPolicy shop/app',
      'remove rule 1 of AuthorizationPolicy shop/app',
    ]);
    const [first] = unused(snapshot, destinations, [observed(), observed({ count: 5, lastSeen: 2e12 })]);
    assert.deepEqual(first?.rules[0]?.use, { calls: 15, firstSeen: observed().firstSeen, lastSeen: 2e12 });
  });

  it('keeps a policy without which everybody could call', () => {
    const { snapshot, destinations } = meshWith(app(RULES));
    const only = 'take all rules out of AuthorizationPolicy shop/app and keep it: without it everybody may call shop/app';
    assert.deepEqual(edits(unused(snapshot, destinations, [])), [only]);
    const two = meshWith(app(RULES), app('\n  - {}', 'other'));
    assert.deepEqual(edits(unused(two.snapshot, two.destinations, [observed({ by: { policy: 'shop/other', rule: 0 } })])), [
      'remove AuthorizationPolicy shop/app: nobody used any of its rules',
    ]);
  });

  it('counts what may have let a call in as used: what records leave out, and what another rule let in', () => {
    const conditional = app('\n  - when: [{key: "request.headers[x-a]", values: [b]}]');
    const { snapshot, destinations } = meshWith(conditional);
    assert.deepEqual(edits(unused(snapshot, destinations, [observed()])), []);
    // A denied call is no use.
    assert.equal(edits(unused(snapshot, destinations, [observed({ decision: 'DENY' })])).length, 1);
    const exact = meshWith(app('\n  - to: [{operation: {paths: ["/users/7", "/users/me"]}}]'));
    assert.deepEqual(edits(unused(exact.snapshot, exact.destinations, [observed()])), [
      'take "/users/me" out of paths in rule 0 of AuthorizationPolicy shop/app',
    ]);
  });

  it('is about dry runs, too: what would let a call in is used', () => {
    const { snapshot, destinations } = meshWith(app(RULES, 'app', ', annotations: {istio.io/dry-run: "true"}'));
    const [first] = unused(snapshot, destinations, [observed()]);
    assert.ok(first?.dryRun);
    assert.equal(first.rules[0]?.use?.calls, 10);
    assert.deepEqual(first.onlyOneOf, []);
  });
});
