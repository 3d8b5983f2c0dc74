import assert from 'node:assert/strict';
import { checkPeers, type FederatedPeer, parsePeer, parsePeerOption } from '../../../ca/federation/peer.ts';
import { parseTrustDomain } from '../../../ca/identity/trust-domain.ts';

function peer(text: string): FederatedPeer {
  const result = parsePeerOption(text);
  assert.ok(result.ok, result.ok ? '' : result.reason);
  return result.value;
}

function domain(text: string) {
  const result = parseTrustDomain(text);
  assert.ok(result.ok);
  return result.value;
}

describe('ca: whom we federate with', () => {
  it('https_web is the default', () => {
    assert.deepEqual(peer('b.test=https://b.test:8443/bundle'), {
      trustDomain: 'b.test',
      url: 'https://b.test:8443/bundle',
      profile: { kind: 'https_web', roots: undefined },
    });
    assert.equal(peer('b.test=https://b.test,roots=ca.pem').profile.kind, 'https_web');
  });

  it('https_spiffe names the server', () => {
    assert.deepEqual(
      peer('b.test=https://10.0.0.1:8443,profile=https_spiffe,endpointId=spiffe://b.test/server,bundle=b.json').profile,
      { kind: 'https_spiffe', endpointId: 'spiffe://b.test/server', bundle: 'b.json' },
    );
  });

  const WRONG: readonly (readonly [string, RegExp])[] = [
    ['b.test', /write TRUSTDOMAIN=URL/],
    ['B.test=https://b.test', /trust domain characters/],
    ['=https://b.test', /trustDomain must be text/],
    ['b.test=http://b.test', /must begin with https/],
    ['b.test=https://user:secret@b.test', /user or a password/],
    ['b.test=//b.test', /no URL/],
    ['b.test=https://b.test,profile=web', /https_web or https_spiffe/],
    ['b.test=https://b.test,profil=https_web', /"profil" is unknown/],
    ['b.test=https://b.test,profile=https_web,profile=https_web', /twice/],
    ['b.test=https://b.test,profile=https_spiffe', /needs endpointId/],
    ['b.test=https://b.test,profile=https_spiffe,endpointId=b.test', /endpointId: scheme/],
    ['b.test=https://b.test,profile=https_spiffe,endpointId=spiffe://b.test/x,roots=ca.pem', /roots belong to/],
    ['b.test=https://b.test,bundle=b.json', /belong to profile=https_spiffe/],
    ['b.test=https://b.test,roots=', /roots must be text/],
  ];
  for (const [text, reason] of WRONG) {
    it(`refuses ${text}`, () => {
      const result = parsePeerOption(text);
      assert.ok(!result.ok);
      assert.match(result.reason, reason);
    });
  }

  it('takes maps, and nothing else than text in them', () => {
    assert.ok(parsePeer({ trustDomain: 'b.test', url: 'https://b.test' }).ok);
    assert.ok(!parsePeer({ trustDomain: 'b.test', url: 'https://b.test', profile: 1 }).ok);
    assert.ok(!parsePeer({ trustDomain: 'b.test' }).ok);
  });

  it('not with ourselves, not twice, not through an unknown trust domain', () => {
    const own = domain('a.test');
    assert.equal(checkPeers([peer('b.test=https://b.test'), peer('c.test=https://c.test')], own), undefined);
    assert.match(checkPeers([peer('a.test=https://a.test')], own) ?? '', /our own trust domain/);
    assert.match(checkPeers([peer('b.test=https://b.test'), peer('b.test=https://c.test')], own) ?? '', /twice/);
    const through = peer('b.test=https://b.test,profile=https_spiffe,endpointId=spiffe://c.test/server');
    assert.match(checkPeers([through], own) ?? '', /not known/);
    assert.equal(checkPeers([through, peer('c.test=https://c.test')], own), undefined);
  });
});
