import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import {
  JWTBundlesRequestSchema,
  JWTSVIDRequestSchema,
  SpiffeWorkloadAPI,
  ValidateJWTSVIDRequestSchema,
  X509BundlesRequestSchema,
  type X509BundlesResponse,
  X509SVIDRequestSchema,
  type X509SVIDResponse,
} from '#gen/gatehouse/workload/v1/spiffe_workload_api_pb.js';
import { rpc } from '../../sds/grpc.ts';
import { account } from '../ca/world.ts';
import { eventually } from '../eventually.ts';
import { type RealWorld, realWorld } from './real-control-plane.ts';
import { headers, stream, unary } from './workload-api-calls.ts';

const METHODS = SpiffeWorkloadAPI.method;
const ID = 'spiffe://cluster.local/ns/shop/sa/cart';

describe('sds: the SPIFFE Workload API of a real agent', function () {
  this.timeout(60_000);
  let world: RealWorld | undefined;
  let client: Client | undefined;
  afterEach(async () => {
    client?.close();
    await world?.stop();
    world = undefined;
  });

  async function start(...args: Parameters<typeof realWorld>): Promise<{ world: RealWorld; client: Client }> {
    world = await realWorld(...args);
    client = new Client(`unix:${world.socket}`, credentials.createInsecure());
    return { world, client };
  }

  it('answers only callers with the security header, on every method', async () => {
    const { client: to } = await start('1h');
    for (const metadata of [new Metadata(), headers('false'), headers('True'), headers('true', 'true'), headers('')]) {
      const streams = [
        stream(to, rpc(METHODS.fetchX509SVID), create(X509SVIDRequestSchema), metadata),
        stream(to, rpc(METHODS.fetchX509Bundles), create(X509BundlesRequestSchema), metadata),
        stream(to, rpc(METHODS.fetchJWTBundles), create(JWTBundlesRequestSchema), metadata),
      ];
      for (const { ended } of streams) assert.equal((await ended).code, status.INVALID_ARGUMENT);
      const answers = [
        await unary(to, rpc(METHODS.fetchJWTSVID), create(JWTSVIDRequestSchema, { audience: ['a'] }), metadata),
        await unary(
          to,
          rpc(METHODS.validateJWTSVID),
          create(ValidateJWTSVIDRequestSchema, { audience: 'a', svid: 'b' }),
          metadata,
        ),
      ];
      for (const answer of answers) assert.ok('code' in answer && answer.code === status.INVALID_ARGUMENT);
    }
  });

  it('streams certificate, key and bundle, and each rotation', async () => {
    const { world: here, client: to } = await start('2s');
    const svids = stream(to, rpc(METHODS.fetchX509SVID), create(X509SVIDRequestSchema));
    const bundles = stream(to, rpc(METHODS.fetchX509Bundles), create(X509BundlesRequestSchema));
    await eventually('three certificates', () => (svids.answers.length >= 3 ? true : undefined));
    const serials = svids.answers.map(({ svids: [svid] }: X509SVIDResponse) => {
      assert.equal(svid?.spiffeId, ID);
      const leaf = new X509Certificate(svid.x509Svid);
      assert.ok(leaf.verify(new X509Certificate(svid.bundle).publicKey));
      return leaf.serialNumber.toLowerCase();
    });
    assert.equal(new Set(serials).size, serials.length, 'nothing is said twice');
    const events = [...here.agent.all('issued'), ...here.agent.all('rotated')].map(({ serial }) => serial);
    assert.deepEqual(
      serials.filter((serial) => !events.includes(serial)),
      [],
    );
    const [first, more]: readonly X509BundlesResponse[] = bundles.answers;
    assert.deepEqual(Object.keys(first?.bundles ?? {}), ['spiffe://cluster.local']);
    assert.equal(more, undefined, 'the bundle did not change');
    svids.cancel();
    bundles.cancel();
  });

  it('gives JWT-SVIDs of the own identity only, and checks them', async () => {
    const { client: to } = await start('1h');
    const jwt = rpc(METHODS.fetchJWTSVID);
    const validate = rpc(METHODS.validateJWTSVID);
    const first = stream(to, rpc(METHODS.fetchX509SVID), create(X509SVIDRequestSchema));
    await eventually('a certificate', () => first.answers[0]);
    first.cancel();
    const answer = await unary(to, jwt, create(JWTSVIDRequestSchema, { audience: ['a'], spiffeId: ID }));
    assert.ok('svids' in answer, JSON.stringify(answer));
    const [svid] = answer.svids;
    assert.equal(svid?.spiffeId, ID);
    const valid = await unary(to, validate, create(ValidateJWTSVIDRequestSchema, { audience: 'a', svid: svid.svid }));
    assert.ok('claims' in valid, JSON.stringify(valid));
    assert.equal(valid.spiffeId, ID);
    assert.equal(valid.claims?.['sub'], ID);
    const codes: (number | undefined)[] = [];
    for (const request of [
      create(JWTSVIDRequestSchema),
      create(JWTSVIDRequestSchema, { audience: [''] }),
      create(JWTSVIDRequestSchema, { audience: ['a'], spiffeId: 'spiffe://cluster.local/ns/shop/sa/orders' }),
    ]) {
      const refused = await unary(to, jwt, request);
      codes.push('code' in refused ? refused.code : undefined);
    }
    for (const fields of [
      { svid: svid.svid },
      { audience: 'a' },
      { audience: 'b', svid: svid.svid },
      { audience: 'a', svid: 'x' },
    ]) {
      const refused = await unary(to, validate, create(ValidateJWTSVIDRequestSchema, fields));
      codes.push('code' in refused ? refused.code : undefined);
    }
    const { INVALID_ARGUMENT, PERMISSION_DENIED } = status;
    assert.deepEqual(codes, [INVALID_ARGUMENT, INVALID_ARGUMENT, PERMISSION_DENIED, ...[1, 2, 3, 4].map(() => INVALID_ARGUMENT)]);
  });

  it('answers PERMISSION_DENIED where the authority gives no identity', async () => {
    const { world: here, client: to } = await start('1h', { account: account('shop', 'orders') });
    await here.agent.event('failed', ({ code }) => code === 'PERMISSION_DENIED');
    const streams = [
      stream(to, rpc(METHODS.fetchX509SVID), create(X509SVIDRequestSchema)),
      stream(to, rpc(METHODS.fetchX509Bundles), create(X509BundlesRequestSchema)),
      stream(to, rpc(METHODS.fetchJWTBundles), create(JWTBundlesRequestSchema)),
    ];
    for (const { ended } of streams) assert.equal((await ended).code, status.PERMISSION_DENIED);
    const jwt = await unary(to, rpc(METHODS.fetchJWTSVID), create(JWTSVIDRequestSchema, { audience: ['a'] }));
    assert.ok('code' in jwt && jwt.code === status.PERMISSION_DENIED);
  });

  it('goes on with what it has while the control plane is away', async () => {
    const { world: here, client: to } = await start('1h');
    const audience = { audience: ['a'] };
    const token = await eventually('a token', async () => {
      const answer = await unary(to, rpc(METHODS.fetchJWTSVID), create(JWTSVIDRequestSchema, audience));
      return 'svids' in answer ? answer.svids[0]?.svid : undefined;
    });
    const check = create(ValidateJWTSVIDRequestSchema, { audience: 'a', svid: token });
    await unary(to, rpc(METHODS.validateJWTSVID), check);
    await here.endControlPlane();
    const again = await unary(to, rpc(METHODS.fetchJWTSVID), create(JWTSVIDRequestSchema, audience));
    assert.ok('svids' in again && again.svids[0]?.svid === token);
    const valid = await unary(to, rpc(METHODS.validateJWTSVID), check);
    assert.ok('claims' in valid);
    const other = await unary(to, rpc(METHODS.fetchJWTSVID), create(JWTSVIDRequestSchema, { audience: ['b'] }));
    assert.ok('code' in other && other.code === status.UNAVAILABLE);
  });
});
