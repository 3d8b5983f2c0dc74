import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { create, fromBinary } from '@bufbuild/protobuf';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { stringify } from 'yaml';
import { SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
} from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { SecretDiscoveryService } from '#gen/envoy/service/secret/v3/sds_pb.js';
import { rpc } from '../../sds/grpc.ts';
import { eventually } from '../eventually.ts';
import { adsService, echoListener, type SeenStream } from './ads.ts';
import { type KeyedCertificate, leafWithKey, pkcs8Pem, selfSignedRoot, TestAuthority } from './authority.ts';
import { freePort } from './free-port.ts';
import { envoyBinary, RunningAgent, testFolder, writeConfig } from './running-agent.ts';

const OWN_ID = 'spiffe://cluster.local/ns/shop/sa/cart';

interface World {
  readonly authority: TestAuthority;
  readonly agent: RunningAgent;
  readonly folder: string;
  readonly config: Record<string, unknown>;
  readonly port: number;
}

interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

describe('sds: federation and further names, with a real agent', function () {
  this.timeout(60_000);
  let world: World | undefined;
  afterEach(async () => {
    await world?.agent.stop();
    world?.authority.down();
    world?.agent.remove();
    world = undefined;
  });

  async function start(envoy: string | false, other: KeyedCertificate, more: Record<string, unknown> = {}): Promise<World> {
    const folder = testFolder();
    const port = await freePort();
    const streams: SeenStream[] = [];
    const secrets = { certificate: OWN_ID, roots: 'ALL' };
    const listener = () => echoListener(port, true, '127.0.0.1', secrets);
    const authority = await TestAuthority.start([adsService(listener, streams)]);
    writeFileSync(join(folder, 'root.pem'), authority.rootPem);
    writeFileSync(join(folder, 'other.pem'), other.certificate.toString('pem'));
    writeFileSync(join(folder, 'token'), 'a.b.c\n');
    mkdirSync(join(folder, 'secrets'));
    const workload = { namespace: 'shop', serviceAccount: 'cart', pod: 'cart-0', ip: '127.0.0.1', tokenFile: 'token' };
    const config = {
      controlPlane: { address: authority.address, serverName: 'gatehouse', rootCert: 'root.pem' },
      runDir: 'run',
      ...(envoy !== false && { envoy }),
      federatedBundles: { 'other.example': 'other.pem' },
      secretsDir: 'secrets',
      workloads: [{ ...workload, ...(envoy === false && { envoy }), ...more }],
    };
    const agent = RunningAgent.start(folder, config);
    world = { authority, agent, folder, config, port };
    return world;
  }

  async function clientOf(root: KeyedCertificate, id: string): Promise<ClientCertificate> {
    const { certificate, keys } = await leafWithKey(root, { names: [{ type: 'url', value: id }], lifetimeMs: 600_000 });
    return { cert: certificate.toString('pem'), key: await pkcs8Pem(keys.privateKey) };
  }

  /** The status of one request with a client certificate; what went wrong where there is none. */
  function ask({ port, authority }: World, client: ClientCertificate): Promise<number | string> {
    return new Promise((resolve) => {
      const options = { host: '127.0.0.1', port, path: '/', ca: authority.rootPem, agent: false, timeout: 5000, ...client };
      const call = request({ ...options, checkServerIdentity: () => undefined }, (response) => {
        response.resume();
        response.on('error', (error) => resolve(error.message));
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      call.on('timeout', () => call.destroy(new Error('no answer in 5 s')));
      call.on('error', (error) => resolve(error.message));
      call.end();
    });
  }

  it('Envoy takes peers of a federated trust domain, each domain by its own roots only', async function () {
    const other = await selfSignedRoot();
    const here = await start(envoyBinary(this), other);
    await here.agent.event('ready');
    const stranger = await selfSignedRoot();
    const ours = await clientOf(here.authority.root, 'spiffe://cluster.local/ns/shop/sa/orders');
    const theirs = await clientOf(other, 'spiffe://other.example/a');
    const refused: readonly (readonly [string, ClientCertificate])[] = [
      ["ours, signed by the other domain's root", await clientOf(other, 'spiffe://cluster.local/ns/shop/sa/orders')],
      ['theirs, signed by our root', await clientOf(here.authority.root, 'spiffe://other.example/a')],
      ['theirs, signed by a stranger', await clientOf(stranger, 'spiffe://other.example/a')],
      ['a third domain', await clientOf(other, 'spiffe://third.example/a')],
    ];
    assert.equal(await ask(here, ours), 200);
    assert.equal(await ask(here, theirs), 200);
    for (const [what, client] of refused) assert.notEqual(await ask(here, client), 200, what);
    // A new root of the other domain, then no federation any more.
    const next = await selfSignedRoot();
    const later = await clientOf(next, 'spiffe://other.example/a');
    assert.notEqual(await ask(here, later), 200);
    writeFileSync(join(here.folder, 'other.new'), next.certificate.toString('pem'));
    renameSync(join(here.folder, 'other.new'), join(here.folder, 'other.pem'));
    await eventually('the new root of the other domain', async () => ((await ask(here, later)) === 200 ? true : undefined));
    assert.notEqual(await ask(here, theirs), 200);
    writeConfig(here.folder, { ...here.config, federatedBundles: {} });
    await eventually('the end of the federation', async () => ((await ask(here, later)) === 200 ? undefined : true));
    assert.equal(await ask(here, ours), 200);
    assert.equal(here.agent.all('started').length, 1, 'Envoy was not started anew');
  });

  it('serves every kind of name by StreamSecrets, DeltaSecrets and FetchSecrets', async () => {
    const other = await selfSignedRoot();
    const { certificate, keys } = await leafWithKey(other, { names: [{ type: 'dns', value: 'web' }], lifetimeMs: 600_000 });
    const pair = { 'tls.crt': certificate.toString('pem'), 'tls.key': await pkcs8Pem(keys.privateKey) };
    const here = await start(false, other, { kind: 'router', secretFiles: ['certs'] });
    mkdirSync(join(here.folder, 'certs'));
    for (const [name, content] of Object.entries(pair)) writeFileSync(join(here.folder, 'certs', name), content);
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web', namespace: 'shop' }, stringData: pair };
    writeFileSync(join(here.folder, 'secrets', 'web.yaml'), stringify(secret));
    const { sdsSocket } = await here.agent.event('ready');
    await here.agent.event('issued');
    const folder = join(here.folder, 'certs');
    const names = [
      ...['default', 'ROOTCA', OWN_ID, 'spiffe://cluster.local', 'spiffe://other.example', 'ALL', 'kubernetes://web'],
      ...[`file-cert:${folder}/tls.crt~${folder}/tls.key`, `file-root:${folder}/tls.crt`],
    ].sort();
    const client = new Client(`unix:${sdsSocket}`, credentials.createInsecure());
    try {
      const method = rpc(SecretDiscoveryService.method.fetchSecrets);
      const fetched = await eventually('all secrets', async () => {
        const answer = await new Promise<DiscoveryResponse | ServiceError | null>((resolve) => {
          const sent = create(DiscoveryRequestSchema, { resourceNames: names });
          const { path, requestSerialize, responseDeserialize } = method;
          client.makeUnaryRequest(path, requestSerialize, responseDeserialize, sent, (error, value) => resolve(value ?? error));
        });
        return answer !== null && 'resources' in answer ? answer : undefined;
      });
      const named = ({ resources }: DiscoveryResponse) =>
        resources.map(({ value }) => fromBinary(SecretSchema, value).name).sort();
      assert.deepEqual(named(fetched), names);

      const sotw = rpc(SecretDiscoveryService.method.streamSecrets);
      const stream = client.makeBidiStreamRequest(sotw.path, sotw.requestSerialize, sotw.responseDeserialize);
      const answers: DiscoveryResponse[] = [];
      stream.on('error', () => {});
      stream.on('data', (answer: DiscoveryResponse) => answers.push(answer));
      stream.write(create(DiscoveryRequestSchema, { resourceNames: names }));
      assert.deepEqual(named(await eventually('a stream', () => answers[0])), names);
      stream.cancel();

      const delta = rpc(SecretDiscoveryService.method.deltaSecrets);
      const changes = client.makeBidiStreamRequest(delta.path, delta.requestSerialize, delta.responseDeserialize);
      const deltas: DeltaDiscoveryResponse[] = [];
      changes.on('error', () => {});
      changes.on('data', (answer: DeltaDiscoveryResponse) => deltas.push(answer));
      changes.write(create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: [...names, 'kubernetes://other/web'] }));
      const first = await eventually('a delta', () => deltas[0]);
      assert.deepEqual(first.resources.map(({ name }) => name).sort(), names);
      assert.deepEqual(first.removedResources, ['kubernetes://other/web']);
      changes.cancel();
    } finally {
      client.close();
    }
  });
});
