import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, fromBinary } from '@bufbuild/protobuf';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
} from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { SecretDiscoveryService } from '#gen/envoy/service/secret/v3/sds_pb.js';
import { rpc } from '../../sds/grpc.ts';
import { certificateSecret, rootsSecret } from '../../sds/secret/secret.ts';
import { SecretStore } from '../../sds/secret/store.ts';
import { type SdsServer, startSdsServer } from '../../sds/server/server.ts';
import type { Notice } from '../../sds/subscription/notice.ts';
import { eventually } from '../eventually.ts';
import { KeeperWorld } from './world.ts';

const STREAM = rpc(SecretDiscoveryService.method.streamSecrets);
const DELTA = rpc(SecretDiscoveryService.method.deltaSecrets);
const FETCH = rpc(SecretDiscoveryService.method.fetchSecrets);

describe('sds: the SDS server on its Unix socket', () => {
  let folder: string;
  let socketPath: string;
  let store: SecretStore;
  let notices: Notice[];
  let server: SdsServer;
  let client: Client;
  let world: KeeperWorld;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-sds-'));
    socketPath = join(folder, 'sds.sock');
    store = new SecretStore(['default', 'ROOTCA']);
    notices = [];
    server = await startSdsServer({ socketPath, store, onNotice: (notice) => notices.push(notice) });
    client = new Client(`unix:${socketPath}`, credentials.createInsecure());
    world = await KeeperWorld.make();
  });
  afterEach(async () => {
    client.close();
    await server.close();
    await world.keeper.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function issue(events: number): Promise<void> {
    world.keeper.start();
    await world.settled(events);
    const svid = world.keeper.current();
    assert.ok(svid !== undefined && world.bundle !== undefined);
    store.put(rootsSecret(world.bundle));
    store.put(certificateSecret(svid));
  }

  function fetchSecrets(resourceNames: string[], typeUrl = ''): Promise<DiscoveryResponse | ServiceError> {
    const request = create(DiscoveryRequestSchema, { resourceNames, typeUrl });
    return new Promise((resolve) => {
      client.makeUnaryRequest(FETCH.path, FETCH.requestSerialize, FETCH.responseDeserialize, request, (error, answer) => {
        if (answer !== undefined) resolve(answer);
        else if (error !== null) resolve(error);
      });
    });
  }

  it('can be opened by its owner only', () => {
    assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  });

  it('takes over a dead socket, and leaves a live one alone', async () => {
    const options = { socketPath, store, onNotice: () => {} };
    await assert.rejects(startSdsServer(options), /is in use by another process/);
    assert.ok(!('code' in (await fetchSecrets(['x'])))); // the first server still answers
    const dead = join(folder, 'dead.sock');
    const { createServer } = await import('node:net');
    const one = createServer();
    await new Promise<void>((resolve) => one.listen(dead, resolve));
    chmodSync(dead, 0o600);
    await new Promise((resolve) => one.close(resolve));
    await (await startSdsServer({ ...options, socketPath: dead })).close();
  });

  it('FetchSecrets: UNAVAILABLE until the first certificate, then key and chain', async () => {
    const early = await fetchSecrets(['default']);
    assert.ok('code' in early && early.code === status.UNAVAILABLE);
    await issue(1);
    const answer = await fetchSecrets(['default', 'ROOTCA']);
    assert.ok('resources' in answer);
    const [certificate, roots] = answer.resources.map(({ value }) => fromBinary(SecretSchema, value));
    assert.equal(certificate?.name, 'default');
    assert.equal(certificate.type.case, 'tlsCertificate');
    assert.equal(roots?.name, 'ROOTCA');
    assert.equal(roots.type.case, 'validationContext');
    const wrong = await fetchSecrets([], 'type.googleapis.com/envoy.config.cluster.v3.Cluster');
    assert.ok('code' in wrong && wrong.code === status.INVALID_ARGUMENT);
  });

  it('StreamSecrets: pushes each rotation, and hears ACK and NACK', async () => {
    const stream = client.makeBidiStreamRequest(STREAM.path, STREAM.requestSerialize, STREAM.responseDeserialize);
    const answers: DiscoveryResponse[] = [];
    stream.on('data', (answer: DiscoveryResponse) => answers.push(answer));
    stream.on('error', () => {});
    stream.write(create(DiscoveryRequestSchema, { resourceNames: ['default'] }));
    await issue(1);
    const first = await eventually('the first', () => answers[0]);
    const reply = { resourceNames: ['default'], responseNonce: first.nonce };
    stream.write(create(DiscoveryRequestSchema, { ...reply, versionInfo: first.versionInfo }));
    await eventually('the ACK', () => notices.find(({ kind }) => kind === 'ack'));
    world.time.pass(world.time.next() ?? 0);
    await eventually('a renewal', async () => {
      world.time.pass(60_000);
      await world.settled(1);
      return world.events.length > 1 ? true : undefined;
    });
    await issue(2);
    const second = await eventually('the second', () => answers[1]);
    assert.notEqual(second.versionInfo, first.versionInfo);
    stream.write(create(DiscoveryRequestSchema, { ...reply, responseNonce: second.nonce, errorDetail: { message: 'no' } }));
    const nack = await eventually('the NACK', () => notices.find(({ kind }) => kind === 'nack'));
    assert.deepEqual(nack, { kind: 'nack', reason: 'no' });
    assert.equal(answers.length, 2);
    stream.cancel();
  });

  it('DeltaSecrets: sends both secrets, and says what there is not', async () => {
    await issue(1);
    const stream = client.makeBidiStreamRequest(DELTA.path, DELTA.requestSerialize, DELTA.responseDeserialize);
    const answers: DeltaDiscoveryResponse[] = [];
    stream.on('data', (answer: DeltaDiscoveryResponse) => answers.push(answer));
    stream.on('error', () => {});
    stream.write(create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: ['default', 'ROOTCA', 'x'] }));
    const first = await eventually('an answer', () => answers[0]);
    assert.deepEqual(
      first.resources.map(({ name }) => name),
      ['default', 'ROOTCA'],
    );
    assert.deepEqual(first.removedResources, ['x']);
    stream.cancel();
  });

  it('ends a stream that asks for something else, with INVALID_ARGUMENT', async () => {
    const stream = client.makeBidiStreamRequest(STREAM.path, STREAM.requestSerialize, STREAM.responseDeserialize);
    const ended = new Promise<ServiceError>((resolve) => stream.on('error', resolve));
    stream.on('data', () => {});
    stream.write(create(DiscoveryRequestSchema, { typeUrl: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration' }));
    assert.equal((await ended).code, status.INVALID_ARGUMENT);
  });
});
