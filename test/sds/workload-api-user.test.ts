import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Client, credentials, status } from '@grpc/grpc-js';
import { DiscoveryRequestSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { SecretDiscoveryService } from '#gen/envoy/service/secret/v3/sds_pb.js';
import { SpiffeWorkloadAPI, X509SVIDRequestSchema } from '#gen/gatehouse/workload/v1/spiffe_workload_api_pb.js';
import { rpc } from '../../sds/grpc.ts';
import { eventually } from '../eventually.ts';
import { type RealOptions, type RealWorld, realWorld } from './real-control-plane.ts';
import { stream, unary } from './workload-api-calls.ts';

const [APPLICATION, OTHER] = [61_234, 61_235];

describe('sds: the Workload API for an application that is another user', function () {
  this.timeout(60_000);
  let world: RealWorld | undefined;
  let client: Client | undefined;
  before(function () {
    if (process.getuid?.() !== 0) {
      if (process.env['CI'] !== undefined) throw new Error('root is needed, to give sockets to other users');
      this.skip();
    }
  });
  afterEach(async () => {
    client?.close();
    await world?.stop();
    world = undefined;
  });

  /** Whether a user can open a socket: the connection is begun as that user. */
  async function opens(uid: number, path: string): Promise<boolean> {
    process.setegid?.(uid);
    process.seteuid?.(uid);
    const socket = connect(path);
    process.seteuid?.(0);
    process.setegid?.(0);
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }

  async function start(options: RealOptions): Promise<RealWorld> {
    world = await realWorld('1h', options);
    return world;
  }

  it('is on a socket of its own, which that user can open and nobody else, without SDS', async () => {
    const { folder, agent, socket } = await start({ passable: true, workload: { workloadApi: { uid: APPLICATION } } });
    const { apiSocket = '' } = await agent.event('ready');
    assert.equal(apiSocket, join(folder, 'run', 'shop.cart-0.api', 'api.sock'));
    const { mode, uid, gid } = statSync(apiSocket);
    assert.deepEqual([mode & 0o777, uid, gid], [0o600, APPLICATION, APPLICATION]);
    assert.deepEqual([await opens(APPLICATION, apiSocket), await opens(OTHER, apiSocket)], [true, false]);
    assert.equal(await opens(APPLICATION, socket), false);
    client = new Client(`unix:${apiSocket}`, credentials.createInsecure());
    const { answers } = stream(client, rpc(SpiffeWorkloadAPI.method.fetchX509SVID), create(X509SVIDRequestSchema));
    const answer = await eventually('an SVID', () => answers[0]);
    assert.equal(answer?.svids[0]?.spiffeId, 'spiffe://cluster.local/ns/shop/sa/cart');
    const secrets = await unary(client, rpc(SecretDiscoveryService.method.fetchSecrets), create(DiscoveryRequestSchema));
    assert.ok('code' in secrets && secrets.code === status.UNIMPLEMENTED);
    // With the application's stream still open.
    assert.equal(await agent.stop(), 0);
    assert.equal(existsSync(apiSocket), false);
  });
});
