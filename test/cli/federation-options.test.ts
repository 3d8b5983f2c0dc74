import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FederationFlags, parseFederationFlags } from '../../cli/serve/federation-options.ts';

describe('gatehouse serve: federation', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-federation-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const file = (text: string): string => {
    const path = join(folder, 'peers.yaml');
    writeFileSync(path, text);
    return path;
  };

  it('is off unless asked for', () => {
    assert.deepEqual(parseFederationFlags({}), {
      ok: true,
      value: { peers: [], endpoint: undefined, refreshHintSeconds: 300 },
    });
  });

  it('takes flags and a list together; files are relative to where they are named', () => {
    const federation = file(`
- trustDomain: b.test
  url: https://b.test
  profile: https_spiffe
  endpointId: spiffe://b.test/gatehouse/bundle-endpoint
  bundle: b.pem
`);
    const parsed = parseFederationFlags({
      federate: ['c.test=https://c.test,roots=/etc/c.pem'],
      federation,
      bundleEndpoint: '127.0.0.1:0',
      bundleRefreshHint: '90s',
    });
    assert.ok(parsed.ok, parsed.ok ? '' : parsed.reason);
    const [c, b] = parsed.value.peers;
    assert.deepEqual(c?.profile, { kind: 'https_web', roots: '/etc/c.pem' });
    assert.deepEqual(b?.profile, {
      kind: 'https_spiffe',
      endpointId: 'spiffe://b.test/gatehouse/bundle-endpoint',
      bundle: join(folder, 'b.pem'),
    });
    assert.deepEqual(parsed.value.endpoint, { address: { host: '127.0.0.1', port: 0 }, files: undefined });
    assert.equal(parsed.value.refreshHintSeconds, 90);
  });

  const WRONG: readonly (readonly [string, () => FederationFlags, RegExp])[] = [
    ['a certificate without its key', () => ({ bundleEndpoint: ':8443', bundleEndpointCert: 'a.pem' }), /go together/],
    [
      'a certificate for no endpoint',
      () => ({ bundleEndpointCert: 'a.pem', bundleEndpointKey: 'a.key' }),
      /needs --bundle-endpoint/,
    ],
    ['an endpoint that is no address', () => ({ bundleEndpoint: 'here' }), /--bundle-endpoint: here is no address/],
    ['a hint of no time', () => ({ bundleRefreshHint: '0s' }), /not between 1s and 24h/],
    ['a peer without a URL', () => ({ federate: ['b.test'] }), /--federate b\.test: write TRUSTDOMAIN=URL/],
    ['a list that is not there', () => ({ federation: join(folder, 'none.yaml') }), /--federation: .*ENOENT/],
    ['a list that is a map', () => ({ federation: file('a: b') }), /must be a list/],
    ['a list of words', () => ({ federation: file('- b.test') }), /entry 1 must be a map/],
    [
      'a list with a typo',
      () => ({ federation: file('- {trustDomain: b.test, uri: "https://b.test"}') }),
      /entry 1: "uri" is unknown/,
    ],
    ['a list of aliases', () => ({ federation: file('- &a {trustDomain: b.test, url: "https://b.test"}\n- *a') }), /alias/i],
  ];
  for (const [what, flags, reason] of WRONG) {
    it(`refuses ${what}`, () => {
      const parsed = parseFederationFlags(flags());
      assert.ok(!parsed.ok);
      assert.match(parsed.reason, reason);
    });
  }
});
