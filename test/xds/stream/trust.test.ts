import assert from 'node:assert/strict';
import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { Cluster_DiscoveryType, ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { TransportSocketSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import { UpstreamTlsContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js';
import { parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { createRoot } from '../../../ca/root/create.ts';
import { ROOTS, trustedRoots } from '../../../routing/tls/secrets.ts';
import { typedConfig } from '../../../routing/wire/any.ts';
import { CLUSTER, encodeResource, type ResourceSet, resourceSet, SECRET } from '../../../xds/resource-set.ts';
import { trustResource } from '../../../xds/resources/trust.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { eventually } from '../../eventually.ts';
import { must } from '../../ca/identity/must.ts';
import { fake } from '../resources.ts';
import { DeltaClient, SotwClient } from './client.ts';
import { type Envoy, startEnvoy } from './envoy.ts';
import { type Running, startServer } from './server.ts';

/** What the only stream says of its trust bundle. */
const seen = (server: Running) => server.only()?.trustBundle;
const becomes = (server: Running, kind: string): Promise<unknown> =>
  eventually(`the bundle is ${kind}`, () => (seen(server)?.kind === kind ? true : undefined));

describe('trust bundles over ADS', () => {
  const bundle = (content: string): ResourceSet =>
    resourceSet({ [SECRET]: [fake(ROOTS, content)], [CLUSTER]: [fake('a', content)] });
  let server: Running;
  beforeEach(async () => {
    server = await startServer();
    server.source.publish(bundle('1'));
  });
  afterEach(() => server.stop());

  it('delta: unused, pending, accepted, rejected, accepted', async () => {
    const client = new DeltaClient(server.address);
    client.ask(CLUSTER);
    client.answer(await client.next());
    await becomes(server, 'unused');
    client.ask(SECRET, [ROOTS]);
    const first = await client.next();
    assert.equal(seen(server)?.kind, 'pending');
    client.answer(first);
    await becomes(server, 'accepted');
    assert.deepEqual(seen(server), { kind: 'accepted', version: `${ROOTS}@1` });
    server.source.publish(bundle('2'));
    // Trust waits for nothing, and clusters do not wait for it.
    const [one, two] = [await client.next(), await client.next()];
    assert.deepEqual([one.typeUrl, two.typeUrl], [SECRET, CLUSTER]);
    assert.equal(seen(server)?.kind, 'pending');
    client.answer(one, 'no certificate in it');
    await becomes(server, 'rejected');
    assert.deepEqual(seen(server), { kind: 'rejected', message: 'no certificate in it' });
    server.source.publish(bundle('3'));
    client.answer(await client.next());
    await eventually('the third', () => {
      const now = seen(server);
      return now?.kind === 'accepted' && now.version === `${ROOTS}@3` ? true : undefined;
    });
    client.close();
  });

  it('state of the world: an agent asks for nothing else', async () => {
    const client = new SotwClient(server.address);
    client.ask(SECRET, [ROOTS], 'agent~machine-7.4711');
    client.answer(await client.next(), [ROOTS]);
    await becomes(server, 'accepted');
    assert.equal(server.only()?.kind, 'agent');
    server.source.publish(bundle('2'));
    const second = await client.next();
    assert.equal(seen(server)?.kind, 'pending');
    client.answer(second, [ROOTS]);
    await eventually('the second', () => {
      const now = seen(server);
      return now?.kind === 'accepted' && now.version === `${ROOTS}@2` ? true : undefined;
    });
    client.close();
  });
});

for (const variant of ['delta', 'sotw'] as const) {
  describe(`trust bundles in the real Envoy over ${variant}`, function () {
    this.timeout(60_000);
    let running: Running;
    let envoy: Envoy;
    before(async function () {
      const path = envoyOrSkip(this);
      running = await startServer();
      envoy = await startEnvoy(path, running.address, variant);
    });
    after(async () => {
      await envoy?.stop();
      running?.stop();
    });

    const secure = create(ClusterSchema, {
      name: 'secure',
      connectTimeout: create(DurationSchema, { seconds: 1n }),
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
      transportSocket: create(TransportSocketSchema, {
        name: 'envoy.transport_sockets.tls',
        configType: typedConfig(UpstreamTlsContextSchema, {
          commonTlsContext: {
            validationContextType: {
              case: 'combinedValidationContext',
              value: { defaultValidationContext: {}, validationContextSdsSecretConfig: trustedRoots() },
            },
          },
        }),
      }),
    });
    const setWith = (rootsPem: string): ResourceSet =>
      resourceSet({ [SECRET]: [trustResource({ generation: 1, rootsPem })], [CLUSTER]: [encodeResource(ClusterSchema, secure)] });

    it('accepts one root, then two, and keeps two when the next cannot be read', async () => {
      const domain = must(parseTrustDomain('cluster.local'));
      const [one, two] = [await createRoot(domain, new Date()), await createRoot(domain, new Date())];
      for (const rootsPem of [one.certificatePem, one.certificatePem + two.certificatePem]) {
        const { version } = trustResource({ generation: 1, rootsPem });
        running.source.publish(setWith(rootsPem));
        await eventually('it is accepted', () => {
          const now = seen(running);
          return now?.kind === 'accepted' && now.version === version ? true : undefined;
        });
      }
      running.source.publish(setWith('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'));
      await becomes(running, 'rejected');
      assert.match(JSON.stringify(seen(running)), /trusted CA/i);
    });
  });
}
