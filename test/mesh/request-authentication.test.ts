import assert from 'node:assert/strict';
import { admitDocument } from '../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../mesh/admit/node.ts';

/** What is found in an object, as `severity code field`. */
function findings(spec: unknown, annotations?: object): readonly string[] {
  const object = {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: 'login', namespace: 'shop', annotations },
    spec,
  };
  const { diagnostics } = admitDocument(
    { file: 'login.yaml', offset: 0, node: nodeOf(object, 1) },
    { meshConfig: DEFAULT_MESH_CONFIG, defaultNamespace: 'shop' },
  );
  return diagnostics.map(({ severity, code, field }) => `${severity} ${code} ${field ?? ''}`);
}

const rule = (fields: object): object => ({ jwtRules: [{ issuer: 'https://login.example', ...fields }] });
const KEY = { kty: 'EC', crv: 'P-256', x: 'a', y: 'b' };

describe('RequestAuthentication, admission', () => {
  const cases: readonly (readonly [string, unknown, readonly string[]])[] = [
    ['nothing but an issuer', rule({}), []],
    ['keys at an old spelling', rule({ jwks_uri: 'https://login.example/keys' }), []],
    ['a misspelt field', rule({ jwksURI: 'https://login.example/keys' }), ['error unknown-field spec.jwtRules[0].jwksURI']],
    [
      'keys from two places',
      rule({ jwks: '{"keys":[]}', jwksUri: 'https://a.example' }),
      ['error contradiction spec.jwtRules[0].jwksUri'],
    ],
    ['keys of a file', rule({ jwksUri: 'file:///etc/keys' }), ['error bad-uri spec.jwtRules[0].jwksUri']],
    [
      'inline keys without issuer',
      { jwtRules: [{ jwks: JSON.stringify({ keys: [KEY] }) }] },
      ['error missing-field spec.jwtRules[0].issuer'],
    ],
    ['keys that are none', rule({ jwks: 'secret' }), ['error bad-keys spec.jwtRules[0].jwks']],
    ['no key', rule({ jwks: '{"keys":[]}' }), ['warning no-keys spec.jwtRules[0].jwks']],
    [
      'a private key',
      rule({ jwks: JSON.stringify({ keys: [{ ...KEY, d: 'c' }] }) }),
      ['warning private-key spec.jwtRules[0].jwks'],
    ],
    ['a shared secret', rule({ jwks: '{"keys":[{"kty":"oct","k":"AAAA"}]}' }), ['warning private-key spec.jwtRules[0].jwks']],
    ['no time at all', rule({ timeout: '0s' }), ['error out-of-range spec.jwtRules[0].timeout']],
    ['a pseudo header', rule({ outputPayloadToHeader: ':path' }), ['error bad-header spec.jwtRules[0].outputPayloadToHeader']],
    [
      'a header of the protocol',
      rule({ outputClaimToHeaders: [{ claim: 'sub', header: 'Transfer-Encoding' }] }),
      ['error bad-header spec.jwtRules[0].outputClaimToHeaders[0].header'],
    ],
    [
      'a claim without a name',
      rule({ outputClaimToHeaders: [{ claim: 'a..b', header: 'x-b' }] }),
      ['error unknown-value spec.jwtRules[0].outputClaimToHeaders[0].claim'],
    ],
    [
      'a header that could not be told from two',
      rule({ fromHeaders: [{ name: 'x y' }] }),
      ['error bad-header spec.jwtRules[0].fromHeaders[0].name'],
    ],
    ['a presence that is neither', rule({ presence: 'MAYBE' }), ['error unknown-value spec.jwtRules[0].presence']],
    [
      'a token where claims are written',
      rule({ fromHeaders: [{ name: 'X-Token' }], outputPayloadToHeader: 'x-token' }),
      ['warning contradiction spec.jwtRules[0]'],
    ],
    [
      'two claims in one header',
      rule({
        outputClaimToHeaders: [
          { claim: 'a', header: 'x-a' },
          { claim: 'b', header: 'X-A' },
        ],
      }),
      ['warning duplicate spec.jwtRules[0]'],
    ],
    ['half a character', rule({ audiences: ['\ud800'] }), ['error bad-text spec.jwtRules[0].audiences[0]']],
  ];
  for (const [what, spec, expected] of cases) {
    it(what, () => {
      const found = findings(spec);
      for (const one of expected) assert.ok(found.includes(one), found.join('\n'));
      assert.equal(
        found.filter((one) => one.startsWith('error')).length,
        expected.filter((one) => one.startsWith('error')).length,
        found.join('\n'),
      );
    });
  }

  it('has no dry run', () => {
    assert.match(findings(rule({}), { 'istio.io/dry-run': 'true' }).join('\n'), /error not-supported/);
  });
});
