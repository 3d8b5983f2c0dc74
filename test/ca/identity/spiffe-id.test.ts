import { strict as assert } from 'node:assert';
import * as fc from 'fast-check';
import {
  parseSpiffeId,
  parseWorkloadSpiffeId,
  pathOf,
  spiffeIdFromSegments,
  trustDomainOf,
  workloadOf,
  workloadSpiffeId,
} from '../../../ca/identity/spiffe-id.ts';
import { parseMeshTrustDomain, parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { must } from './must.ts';

const every = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

describe('SPIFFE IDs', () => {
  const cluster = must(parseTrustDomain('cluster.local'));

  it('takes exactly the standard characters in a trust domain, of all 256', () => {
    const taken = every.filter((character) => parseTrustDomain(`a${character}b`).ok);
    assert.equal(taken.join(''), '-.0123456789_abcdefghijklmnopqrstuvwxyz');
    assert.deepEqual(
      every.filter((character) => parseSpiffeId(`spiffe://a${character}b`).ok),
      // A slash ends the trust domain there.
      [...taken, '/'].sort(),
    );
  });

  it('takes exactly the standard characters in a path, of all 256', () => {
    const taken = every.filter((character) => parseSpiffeId(`spiffe://td/a${character}b`).ok);
    assert.equal(taken.join(''), '-./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz');
  });

  it('holds the limits of length to the byte', () => {
    assert.ok(parseTrustDomain('a'.repeat(255)).ok);
    assert.ok(!parseTrustDomain('a'.repeat(256)).ok);
    const prefix = 'spiffe://td/';
    assert.ok(parseSpiffeId(prefix + 'a'.repeat(2048 - prefix.length)).ok);
    assert.ok(!parseSpiffeId(prefix + 'a'.repeat(2049 - prefix.length)).ok);
    assert.ok(!parseSpiffeId(`spiffe://${'a'.repeat(256)}/x`).ok);
  });

  it('refuses what an end-of-line anchor would let through', () => {
    for (const text of ['spiffe://td\n', 'spiffe://td/a\n', 'spiffe://td/a\n/b', '\nspiffe://td/a'])
      assert.ok(!parseSpiffeId(text).ok, text);
    assert.ok(!parseTrustDomain('td\n').ok);
  });

  it('names workloads and takes the names apart again', () => {
    const id = workloadSpiffeId(cluster, 'foo', 'bar');
    assert.equal(id, 'spiffe://cluster.local/ns/foo/sa/bar');
    assert.deepEqual(workloadOf(id), { trustDomain: 'cluster.local', namespace: 'foo', serviceAccount: 'bar' });
    assert.equal(trustDomainOf(id), 'cluster.local');
    assert.equal(pathOf(id), '/ns/foo/sa/bar');
  });

  it('never lets a claim add a segment', () => {
    for (const name of ['', '.', '..', 'a/b', 'x/sa/admin', 'a%2fb', 'a b', 'ä']) {
      assert.ok(!parseWorkloadSpiffeId(cluster, name, 'sa').ok, name);
      assert.ok(!parseWorkloadSpiffeId(cluster, 'ns', name).ok, name);
    }
    assert.throws(() => workloadSpiffeId(cluster, '', 'sa'), RangeError);
  });

  it('sees no workload in other paths', () => {
    for (const path of ['', '/ns/a/sa', '/ns/a/sa/b/c', '/ns/a/xx/b', '/NS/a/sa/b', '/a/ns/b/sa/c']) {
      assert.equal(workloadOf(must(parseSpiffeId(`spiffe://td${path}`))), undefined, path);
    }
  });

  it('writes the @ of a mesh trust domain as a dot', () => {
    assert.equal(must(parseMeshTrustDomain('a@b.example')), 'a.b.example');
    assert.ok(!parseTrustDomain('a@b.example').ok);
  });

  it('gives back the very text it parsed, and parses any text without throwing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^spiffe:\/\/[a-c./%A]{0,12}$/)), (text) => {
        const id = parseSpiffeId(text);
        if (!id.ok) return;
        assert.equal(id.value, text);
        assert.equal(`spiffe://${trustDomainOf(id.value)}${pathOf(id.value)}`, text);
        assert.equal(must(spiffeIdFromSegments(trustDomainOf(id.value), pathOf(id.value).split('/').slice(1))), text);
      }),
      { seed: 2026_11_21, numRuns: 2000 },
    );
  });
});
