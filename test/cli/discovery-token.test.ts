import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { AggregatedDiscoveryService } from '#gen/envoy/service/discovery/v3/ads_pb.js';
import { DeltaDiscoveryRequestSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { rpc } from '../../sds/grpc.ts';
import { account, ISSUER, type TokenIssuer, tokenIssuer } from '../ca/world.ts';
import { MESH, RunningServe } from './running-serve.ts';

const DELTA = rpc(AggregatedDiscoveryService.method.deltaAggregatedResources);
const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';

describe('gatehouse serve: a discovery stream by a token, as of Istio’s agents', function () {
  this.timeout(60_000);
  let dir: string;
  let tokens: TokenIssuer;
  let serve: RunningServe;
  let client: Client;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gh-token-'));
    tokens = tokenIssuer();
    writeFileSync(join(dir, 'jwks.json'), await tokens.jwks());
    mkdirSync(join(dir, 'mesh'));
    writeFileSync(join(dir, 'mesh', 'mesh.yaml'), MESH);
    serve = new RunningServe(join(dir, 'mesh'), dir, '--jwks', join(dir, 'jwks.json'), '--token-issuer', ISSUER);
    const { grpc, rootCert } = await serve.ready();
    client = new Client(grpc ?? assert.fail(), credentials.createSsl(readFileSync(rootCert)), {
      'grpc.ssl_target_name_override': 'localhost',
    });
  });
  after(async () => {
    client?.close();
    await serve?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** How many clusters come, or the error. */
  async function ask(token: string | undefined, pod = 'web-1'): Promise<number | ServiceError> {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    const call = client.makeBidiStreamRequest(DELTA.path, DELTA.requestSerialize, DELTA.responseDeserialize, metadata);
    try {
      return await new Promise((resolve) => {
        call.once('data', ({ resources }) => resolve(resources.length));
        call.once('error', (error: ServiceError) => resolve(error));
        const id = `sidecar~10.0.0.5~${pod}.shop~shop.svc.cluster.local`;
        call.write(create(DeltaDiscoveryRequestSchema, { node: { id }, typeUrl: CLUSTER }));
      });
    } finally {
      call.cancel();
    }
  }

  const refused = async (token: string | undefined, pod?: string): Promise<string> => {
    const answer = await ask(token, pod);
    assert.ok(typeof answer !== 'number', 'it was served');
    return `${status[answer.code]}: ${answer.details}`;
  };

  it('is served to the workload of that ServiceAccount', async () => {
    const found = await ask(await tokens.token({ sub: account('shop', 'web') }));
    assert.ok(typeof found === 'number' && found > 0, String(found));
  });

  it('is refused without a token, with one for another audience, one that ended, one of another key', async () => {
    assert.match(await refused(undefined), /^UNAUTHENTICATED: no client certificate/);
    assert.match(await refused(await tokens.token({ sub: account('shop', 'web'), aud: 'vault' })), /^UNAUTHENTICATED/);
    assert.match(await refused(await tokens.token({ sub: account('shop', 'web'), exp: 1 })), /^UNAUTHENTICATED/);
    assert.match(await refused(await tokenIssuer().token({ sub: account('shop', 'web') })), /^UNAUTHENTICATED/);
  });

  it('gives nobody the configuration of another identity', async () => {
    assert.match(await refused(await tokens.token({ sub: account('shop', 'users') })), /^(PERMISSION_DENIED|UNAUTHENTICATED)/);
    assert.match(await refused(await tokens.token({ sub: account('other', 'web') })), /^(PERMISSION_DENIED|UNAUTHENTICATED)/);
  });
});
