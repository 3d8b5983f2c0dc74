import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import {
  JWTSVIDRequestSchema,
  SpiffeWorkloadAPI,
  ValidateJWTSVIDRequestSchema,
  X509SVIDRequestSchema,
} from '#gen/gatehouse/workload/v1/spiffe_workload_api_pb.js';
import { rpc } from '../../sds/grpc.ts';
import { eventually } from '../eventually.ts';
import { freePort } from './free-port.ts';
import { type RealWorld, realWorld } from './real-control-plane.ts';
import { stream, unary } from './workload-api-calls.ts';

const METHODS = SpiffeWorkloadAPI.method;

describe('sds: workloads of two control planes, of which one federates with the other', function () {
  this.timeout(60_000);
  const worlds: RealWorld[] = [];
  const clients: Client[] = [];
  after(async () => {
    for (const client of clients) client.close();
    for (const world of worlds) await world.stop();
  });

  async function start(...args: Parameters<typeof realWorld>): Promise<{ world: RealWorld; client: Client }> {
    const world = await realWorld(...args);
    worlds.push(world);
    const client = new Client(`unix:${world.socket}`, credentials.createInsecure());
    clients.push(client);
    return { world, client };
  }

  it("gets the other's roots, and takes the other's tokens", async () => {
    const port = await freePort();
    const url = `127.0.0.1:${String(port)}`;
    const theirs = await start('1h', { trustDomain: 'other.example', serve: ['--bundle-endpoint', url] });
    const endpoint = 'spiffe://other.example/gatehouse/bundle-endpoint';
    const peer = `other.example=https://${url},profile=https_spiffe,endpointId=${endpoint},bundle=${theirs.world.ready.rootCert}`;
    const ours = await start('1h', { serve: ['--federate', peer] });

    const svids = stream(ours.client, rpc(METHODS.fetchX509SVID), create(X509SVIDRequestSchema));
    const federated = await eventually(
      "the other's bundle",
      () => svids.answers.at(-1)?.federatedBundles['spiffe://other.example'],
    );
    svids.cancel();
    const root = new X509Certificate(readFileSync(theirs.world.ready.rootCert));
    assert.deepEqual(Buffer.from(federated), root.raw);
    const own = new X509Certificate(readFileSync(ours.world.ready.rootCert));
    assert.deepEqual(Buffer.from(svids.answers.at(-1)?.svids[0]?.bundle ?? []), own.raw);

    const token = async (client: Client) =>
      eventually('a token', async () => {
        const answer = await unary(client, rpc(METHODS.fetchJWTSVID), create(JWTSVIDRequestSchema, { audience: ['us'] }));
        return 'svids' in answer ? answer.svids[0]?.svid : undefined;
      });
    const check = async (client: Client, svid: string) => {
      const request = create(ValidateJWTSVIDRequestSchema, { audience: 'us', svid });
      const answer = await unary(client, rpc(METHODS.validateJWTSVID), request);
      return 'spiffeId' in answer ? answer.spiffeId : answer.details;
    };
    const theirToken = await token(theirs.client);
    await eventually("the other's keys", async () =>
      (await check(ours.client, theirToken)) === 'spiffe://other.example/ns/shop/sa/cart' ? true : undefined,
    );
    assert.match(await check(theirs.client, await token(ours.client)), /not trusted here/);
  });
});
