import assert from 'node:assert/strict';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { type Replay, replay } from '../../../policy/replay/replay.ts';
import { observed, plainText } from '../observed/calls.ts';
import { meshWith, policyYaml } from '../observed/mesh.ts';

const allow = (rules: string, name = 'app'): string =>
  policyYaml('AuthorizationPolicy', name, `{selector: {matchLabels: {app: app}}, rules: [${rules}]}`);
const deny = (rules: string, name = 'no'): string =>
  policyYaml('AuthorizationPolicy', name, `{selector: {matchLabels: {app: app}}, action: DENY, rules: [${rules}]}`);
const WEB = 'from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]';
const STRICT = policyYaml('PeerAuthentication', 'strict', '{mtls: {mode: STRICT}}');
const HEADER = 'when: [{key: "request.headers[x-a]", values: [b]}]';
const jwt = (...issuers: readonly string[]): string =>
  policyYaml(
    'RequestAuthentication',
    'tokens',
    `{jwtRules: [${issuers.map((issuer) => `{issuer: ${issuer}, jwksUri: "https://${issuer}/keys"}`).join(', ')}]}`,
  );

interface Told {
  readonly kept: number;
  readonly stillDenied: number;
  readonly broken: number;
  readonly newlyAllowed: number;
  readonly undecided: number;
  readonly refusedBefore: number;
  readonly gone: number;
}

function told({ kept, stillDenied, broken, newlyAllowed, undecided, refusedBefore, gone }: Replay): Partial<Told> {
  const all: Told = {
    kept: kept.edges,
    stillDenied: stillDenied.edges,
    broken: broken.length,
    newlyAllowed: newlyAllowed.length,
    undecided: undecided.length,
    refusedBefore: refusedBefore.length,
    gone: gone.length,
  };
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0));
}

function played(calls: readonly ObservedCall[], after: readonly string[], before?: readonly string[]): Partial<Told> {
  return told(replay(calls, meshWith(...after), before && meshWith(...before)));
}

describe('policy replay: what calls that were seen would come to', () => {
  it('kept, broken with the rule that breaks it, newly allowed', () => {
    const after = meshWith(
      allow(`{${WEB}, to: [{operation: {methods: [GET]}}]}`),
      deny('{to: [{operation: {paths: ["/admin*"]}}]}'),
    );
    const found = replay(
      [
        observed(),
        observed({ method: 'POST', count: 3 }),
        observed({ path: '/admin/{id}', count: 30 }),
        observed({ path: '/x', decision: 'DENY', denied: 'no rule allowed it', refusedBy: 'policy' }),
        observed({ method: 'PUT', decision: 'DENY', denied: 'no rule allowed it', refusedBy: 'policy' }),
      ],
      after,
    );
    assert.deepEqual(told(found), { kept: 1, broken: 2, newlyAllowed: 1, stillDenied: 1 });
    assert.deepEqual(
      found.broken.map(({ call, after: { cause, by } }) => [call.count, cause, by]),
      [
        [30, 'denied', 'shop/no rule 0'],
        [3, 'not-allowed', ''],
      ],
    );
    assert.match(found.broken[1]?.after.why ?? '', /methods: "POST" is not one of GET/);
    assert.deepEqual(
      found.newlyAllowed.map(({ after: { by } }) => by),
      ['shop/app rule 0'],
    );
  });

  it('callers in plain text are cut off by STRICT, unless the port is excepted', () => {
    const found = replay([plainText(), observed()], meshWith(STRICT), meshWith());
    assert.deepEqual(told(found), { kept: 1, broken: 1 });
    assert.deepEqual(
      found.broken.map(({ after: { cause, by } }) => [cause, by]),
      [['plain-text', 'shop/strict']],
    );
    const excepted = policyYaml(
      'PeerAuthentication',
      'app',
      '{selector: {matchLabels: {app: app}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: PERMISSIVE}}}',
    );
    assert.deepEqual(played([plainText()], [STRICT, excepted], []), { kept: 1 });
    // Who comes to a port without TLS is nobody.
    const disabled = excepted.replace('PERMISSIVE', 'DISABLE');
    assert.deepEqual(played([observed()], [disabled, allow(`{${WEB}}`)], [allow(`{${WEB}}`)]), { broken: 1 });
  });

  it('what depends on headers is undecided, but kept where what it depends on stays', () => {
    const rule = `{${WEB}, ${HEADER}}`;
    assert.deepEqual(played([observed()], [allow(rule)]), { undecided: 1 });
    assert.deepEqual(played([observed()], [allow(rule)], []), { undecided: 1 });
    assert.deepEqual(played([observed()], [allow(rule, 'other-name')], [allow(rule)]), { kept: 1 });
    assert.deepEqual(played([observed()], [allow(rule), deny(`{${HEADER}}`)], [allow(rule)]), { undecided: 1 });
    assert.deepEqual(played([observed()], [deny(`{${HEADER}}`), STRICT], [deny(`{${HEADER}}`)]), { kept: 1 });
    const denied = observed({ decision: 'DENY', refusedBy: 'policy' });
    assert.deepEqual(played([denied], [deny(`{${HEADER}}`), STRICT], [deny(`{${HEADER}}`)]), { stillDenied: 1 });
  });

  it('the rule that let a call in tells which of several it was', () => {
    const rules = `{${WEB}, ${HEADER}}, {${WEB}, ${HEADER.replace('x-a', 'x-b')}}`;
    const one = `{${WEB}, ${HEADER.replace('x-a', 'x-b')}}`;
    const by = (rule: number) => observed({ by: { policy: 'shop/app', rule } });
    assert.deepEqual(played([by(0), by(1)], [allow(one)], [allow(rules)]), { kept: 1, undecided: 1 });
  });

  it('tokens: what is required breaks nothing for certain, and issuers that are taken away are undecided', () => {
    assert.deepEqual(played([observed()], [jwt('one')], [jwt('one')]), { kept: 1 });
    assert.deepEqual(played([observed()], [jwt('one', 'two')], [jwt('one')]), { kept: 1 });
    assert.deepEqual(played([observed()], [jwt('one')], [jwt('one', 'two')]), { undecided: 1 });
    assert.deepEqual(played([observed()], [jwt('one')], []), { undecided: 1 });
    assert.deepEqual(played([observed()], [], [jwt('one')]), { kept: 1 });
    const asked = allow('{from: [{source: {requestPrincipals: ["one/*"]}}]}');
    assert.deepEqual(played([observed()], [jwt('one'), asked], [jwt('one')]), { undecided: 1 });
    // Nobody verifies tokens there any more.
    assert.deepEqual(played([observed()], [asked], [jwt('one'), asked]), { broken: 1 });
  });

  it('tells what is refused today already, and what is gone', () => {
    assert.deepEqual(played([observed()], [allow('')], [allow('')]), { kept: 1 });
    assert.deepEqual(played([observed()], [allow(''), STRICT], [allow('')]), { refusedBefore: 1 });
    assert.deepEqual(played([observed({ destination: 'shop/gone' })], [STRICT], []), { gone: 1 });
  });

  it('what was denied by somebody else than rules stays denied', () => {
    for (const refusedBy of ['token', 'provider', 'identity'] as const)
      assert.deepEqual(played([observed({ decision: 'DENY', refusedBy })], [STRICT], []), { stillDenied: 1 });
    assert.deepEqual(played([plainText({ decision: 'DENY', refusedBy: 'transport' })], [], [STRICT]), { newlyAllowed: 1 });
  });

  it('a dry run breaks nothing', () => {
    const dry = policyYaml('AuthorizationPolicy', 'dry', '{}', ', annotations: {istio.io/dry-run: "true"}');
    assert.deepEqual(played([observed()], [dry], []), { kept: 1 });
  });
});
