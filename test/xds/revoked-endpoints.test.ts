// What one proxy is told while identities are revoked: their endpoints are gone, their requests denied, and nothing else changes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseIdentity, parseSerial } from '../../ca/revocation/revocation.ts';
import { NOBODY } from '../../policy/compile/revoked.ts';
import { ENDPOINTS, EXTENSION_CONFIG, LISTENER, TYPE_URLS, type TypeUrl } from '../../xds/resource-set.ts';
import { composeResources } from '../../xds/resources/compose.ts';
import { must } from '../ca/identity/must.ts';
import { proxyOf, snapshotOf } from '../routing/compiled.ts';

const BUNDLE = { generation: 1, rootsPem: 'roots' };
const SERVER = must(parseIdentity('cluster.local/ns/pair/sa/server'));

describe('xds: resources while identities are revoked', () => {
  const snapshot = snapshotOf(readFileSync(join(import.meta.dirname, '..', 'feature', 'meshes', 'pair', 'pair.yaml'), 'utf8'));
  const client = proxyOf(snapshot, 'pair/client');
  const address = proxyOf(snapshot, 'pair/server').instance.address;
  const compose = (revoked = NOBODY) => composeResources(snapshot, client, BUNDLE, revoked);
  const bytes = (set: ReturnType<typeof compose>, type: TypeUrl): string =>
    [...(set.get(type)?.values() ?? [])].map(({ any }) => Buffer.from(any).toString('latin1')).join('\n');
  const changed = (revoked: typeof NOBODY): readonly TypeUrl[] => {
    const [before, after] = [compose(), compose(revoked)];
    return TYPE_URLS.filter((type) => bytes(before, type) !== bytes(after, type));
  };

  it('a server: its endpoints are gone, and it is denied as a caller', () => {
    const revoked = { identities: [SERVER], serials: [] };
    assert.ok(bytes(compose(), ENDPOINTS).includes(address));
    assert.ok(!bytes(compose(revoked), ENDPOINTS).includes(address));
    assert.deepEqual(changed(revoked), [ENDPOINTS, EXTENSION_CONFIG, LISTENER]);
    assert.deepEqual(compose(revoked), compose(revoked));
    assert.ok(bytes(compose(), ENDPOINTS).includes(address), 'what others share was changed');
  });

  it('an identity that nobody here has: denied over HTTP, and over TCP, which is part of the listener', () => {
    const revoked = { identities: [must(parseIdentity('cluster.local/ns/other/sa/server'))], serials: [] };
    assert.deepEqual(changed(revoked), [EXTENSION_CONFIG, LISTENER]);
  });

  it('a serial: denied by policy, and the chains of TCP ports drain once; forgotten, they do not', () => {
    const newest = '2026-01-01T00:00:00.000Z';
    const serials = [must(parseSerial('4f3d'))];
    assert.deepEqual(changed({ identities: [], serials, newest }), [EXTENSION_CONFIG, LISTENER]);
    const [listed, forgotten] = [compose({ identities: [], serials, newest }), compose({ identities: [], serials: [], newest })];
    assert.equal(bytes(listed, LISTENER), bytes(forgotten, LISTENER));
    assert.notEqual(bytes(listed, EXTENSION_CONFIG), bytes(forgotten, EXTENSION_CONFIG));
    const later = compose({ identities: [], serials, newest: '2026-01-02T00:00:00.000Z' });
    assert.notEqual(bytes(listed, LISTENER), bytes(later, LISTENER));
  });
});
