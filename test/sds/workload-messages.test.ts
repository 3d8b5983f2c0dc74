import assert from 'node:assert/strict';
import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { DiscoveryResponseSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import { authoritiesSecret, federationSecret } from '../../sds/secret/secret.ts';
import { revocationLists } from '../../sds/trust/revoked.ts';
import { trustContext } from '../../sds/trust/trust-context.ts';
import { WorkloadIdentity } from '../../sds/workload-api/identity.ts';
import { bundlesResponse, svidResponse } from '../../sds/workload-api/x509.ts';
import { must } from '../ca/identity/must.ts';
import { selfSignedRoot } from './authority.ts';
import { bundleOf, KeeperWorld } from './world.ts';

const ID = must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart'));
const TD = must(parseTrustDomain('cluster.local'));
const OTHER = must(parseTrustDomain('other.example'));
const LIST = '-----BEGIN X509 CRL-----\nAQID\n-----END X509 CRL-----\n';

describe('sds: what is trusted beside the own roots', () => {
  it('is in the X.509 messages of the Workload API', async () => {
    const other = bundleOf(await selfSignedRoot());
    const others = { federated: () => new Map([[OTHER, other]]), crls: () => revocationLists(LIST + LIST) };
    const identity = new WorkloadIdentity(ID, others, Date.now);
    const world = await KeeperWorld.make();
    world.keeper.start();
    await world.settled(1);
    const svid = world.keeper.current();
    assert.ok(svid && world.bundle);
    const response = svidResponse(svid, world.bundle, identity);
    assert.deepEqual(Object.keys(response.federatedBundles), ['spiffe://other.example']);
    assert.deepEqual(
      response.crl.map((crl) => [...crl]),
      [
        [1, 2, 3],
        [1, 2, 3],
      ],
    );
    assert.equal(response.svids.length, 1);
    const bundles = bundlesResponse(world.bundle, identity);
    assert.deepEqual(Object.keys(bundles.bundles).sort(), ['spiffe://cluster.local', 'spiffe://other.example']);
    assert.equal(bundles.crl.length, 2);
    await world.keeper.stop();
  });

  it('is read from the control plane in both forms of ROOTCA', async () => {
    const [own, other] = [bundleOf(await selfSignedRoot()), bundleOf(await selfSignedRoot())];
    const said = (any: Any) => create(DiscoveryResponseSchema, { resources: [any] });
    const plain = trustContext(said(authoritiesSecret('ROOTCA', own.pem, LIST).any), TD);
    assert.deepEqual(plain, { own: own.pem, foreign: new Map(), crl: LIST });
    const both = new Map([
      ['cluster.local', own],
      ['other.example', other],
    ]);
    const federated = trustContext(said(federationSecret('ROOTCA', both).any), TD);
    assert.equal(federated.own, own.pem);
    assert.deepEqual([...federated.foreign], [['other.example', other.pem]]);
    const foreign = trustContext(said(federationSecret('ROOTCA', new Map([['other.example', other]])).any), TD);
    assert.equal(foreign.own, undefined);
    const nothing = said(anyPack(SecretSchema, create(SecretSchema, { name: 'default' })));
    assert.deepEqual(trustContext(nothing, TD), { own: undefined, foreign: new Map(), crl: undefined });
  });
});
