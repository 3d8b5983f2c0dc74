import assert from 'node:assert/strict';
import { asEnforced } from '../../../policy/dry-run/as-enforced.ts';
import { dryRun } from '../../../policy/dry-run/dry-run.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { observed } from '../observed/calls.ts';
import { meshWith, policyYaml } from '../observed/mesh.ts';

const DRY = ', annotations: {istio.io/dry-run: "true"}';
const allow = (rules: string, metadata = DRY, name = 'app'): string =>
  policyYaml('AuthorizationPolicy', name, `{selector: {matchLabels: {app: app}}, rules: [${rules}]}`, metadata);
const deny = (rules: string, metadata = DRY): string =>
  policyYaml('AuthorizationPolicy', 'no', `{selector: {matchLabels: {app: app}}, action: DENY, rules: [${rules}]}`, metadata);
const WEB = '{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}], to: [{operation: {methods: [GET]}}]}';
const HEADER = '{when: [{key: "request.headers[x-a]", values: [b]}]}';
const NO_RULE = [{ policy: undefined, rule: undefined }];

function ran(documents: readonly string[], calls: readonly ObservedCall[], since?: number) {
  const { snapshot, destinations } = meshWith(...documents);
  return dryRun(snapshot, new Map(destinations.map((one) => [one.name, one])), calls, since);
}

describe('policy dry-run: what enforcement would do', () => {
  it('takes the annotation away and nothing else', () => {
    const { snapshot } = meshWith(allow(WEB), allow(WEB, '', 'other'));
    const enforced = asEnforced(snapshot);
    assert.equal(asEnforced(snapshot), enforced);
    assert.deepEqual(
      enforced.authorizationPolicies.map(({ dryRun: dry }) => dry),
      [false, false],
    );
    assert.equal(enforced.authorizationPolicies[1], snapshot.authorizationPolicies[1]);
    assert.equal(asEnforced(enforced), enforced);
  });

  it('both readings agree, and tell who would be denied, by what', () => {
    const found = ran(
      [allow(WEB), deny('{to: [{operation: {paths: ["/admin"]}}]}')],
      [
        observed(),
        observed({ method: 'POST', count: 3, wouldDeny: NO_RULE }),
        observed({ path: '/admin', count: 4, wouldDeny: [{ policy: 'shop/no', rule: 0 }] }),
        observed({ method: 'PUT', decision: 'DENY' }),
        observed({ destination: 'shop/web' }),
      ],
    );
    assert.deepEqual(found.agreed, { allowed: 10, denied: 7 });
    assert.deepEqual([found.disagreements, found.undecided, found.shadowOnly], [[], [], []]);
    assert.deepEqual(
      found.wouldBeDenied.map(({ call, policy, rule }) => [call.count, policy, rule]),
      [
        [4, 'shop/no', 0],
        [3, undefined, undefined],
      ],
    );
    assert.match(found.wouldBeDenied[1]?.why ?? '', /methods: "POST" is not one of GET/);
  });

  it('tells where they disagree; either one who denies counts', () => {
    const found = ran([allow(WEB)], [observed({ wouldDeny: NO_RULE }), observed({ method: 'POST' })]);
    assert.deepEqual(
      found.disagreements.map(({ call, shadow, evaluator }) => [call.method, shadow, evaluator]),
      [
        ['GET', 'DENY', 'ALLOW'],
        ['POST', 'ALLOW', 'DENY'],
      ],
    );
    assert.equal(found.wouldBeDenied.length, 2);
  });

  it('the proxy alone judges what records leave out', () => {
    const found = ran([allow(HEADER)], [observed(), observed({ method: 'POST', wouldDeny: NO_RULE })]);
    assert.deepEqual(
      found.shadowOnly.map(({ call, shadow }) => [call.method, shadow]),
      [
        ['GET', 'ALLOW'],
        ['POST', 'DENY'],
      ],
    );
    assert.deepEqual(
      found.wouldBeDenied.map(({ call }) => call.method),
      ['POST'],
    );
    assert.match(found.wouldBeDenied[0]?.why ?? '', /^the proxy says/);
    assert.deepEqual(found.disagreements, []);
  });

  it('beside a policy that is enforced a dry run of ALLOW takes nothing', () => {
    const found = ran([allow('{}', '', 'all'), allow(WEB)], [observed({ method: 'POST' })]);
    assert.deepEqual([found.wouldBeDenied, found.disagreements, found.agreed.allowed], [[], [], 10]);
  });

  it('holds nothing against shadow rules that proxies had not yet; what they said last counts', () => {
    const at = observed().lastSeen;
    const post = { method: 'POST' } as const;
    assert.deepEqual(ran([allow(WEB)], [observed(post)], at - 1000).disagreements, []);
    assert.equal(ran([allow(WEB)], [observed(post)], at - 120_000).disagreements.length, 1);
    const before = observed({ ...post, lastSeen: at, count: 100 });
    const after = observed({ ...post, firstSeen: at + 1, lastSeen: at + 500_000, wouldDeny: NO_RULE });
    const found = ran([allow(WEB)], [before, after], at - 120_000);
    assert.deepEqual([found.disagreements, found.wouldBeDenied.map(({ call }) => call.count)], [[], [110]]);
  });
});
