import assert from 'node:assert/strict';
import { create } from '@bufbuild/protobuf';
import { type Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  type CreateJwtSvidResponse,
  CreateJwtSvidRequestSchema,
  GetBundleRequestSchema,
  JwtService,
} from '#gen/gatehouse/ca/v1/jwt_pb.js';
import type { Authority } from '../../../ca/authority.ts';
import { addJwtService } from '../../../ca/jwt-svid/service.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { grpcSigner } from '../../../sds/authority/client.ts';
import { acceptCertificate, type Svid } from '../../../sds/identity/accept.ts';
import { parseBundle } from '../../../sds/identity/bundle.ts';
import { newKey, requestFor } from '../../../sds/identity/request.ts';
import { rpc } from '../../../sds/grpc.ts';
import { grpcJwtAuthority } from '../../../sds/jwt/client.ts';
import { parseJwtKeySet } from '../../../sds/jwt/key-set.ts';
import { validateToken } from '../../../sds/jwt/validate.ts';
import { must } from '../identity/must.ts';
import { connect, type RunningService, serve } from '../service/client.ts';
import { TD, type World, world } from '../world.ts';

const CREATE = rpc(JwtService.method.createJwtSvid);

describe('ca/jwt-svid: the service over TLS', () => {
  let here: World;
  let authority: Authority;
  let service: RunningService;
  let client: Client;
  before(async () => {
    here = await world();
    authority = await here.open();
    service = await serve(here, authority);
    addJwtService(service.server, { authority, log: here.log });
    client = connect(service.port, { rootsPem: authority.rootCertPem });
  });
  after(async () => {
    client.close();
    service.close();
    await here.close();
  });

  function ask(fields: { audience?: string[]; spiffeId?: string; ttlSeconds?: bigint }, token?: string) {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    const request = create(CreateJwtSvidRequestSchema, { audience: ['a'], ...fields });
    return new Promise<CreateJwtSvidResponse | ServiceError>((resolve) => {
      client.makeUnaryRequest(
        CREATE.path,
        CREATE.requestSerialize,
        CREATE.responseDeserialize,
        request,
        metadata,
        (error, answer) => {
          if (answer !== undefined) resolve(answer);
          else if (error !== null) resolve(error);
        },
      );
    });
  }

  const codeOf = (answer: CreateJwtSvidResponse | ServiceError) => ('code' in answer ? answer.code : status.OK);

  it('serves callers with a token, and says no with the codes of certificates', async () => {
    const token = await here.tokens.token();
    const answer = await ask({}, token);
    assert.ok('svid' in answer);
    assert.equal(answer.spiffeId, 'spiffe://cluster.local/ns/shop/sa/cart');
    assert.equal(answer.expiresAt - answer.issuedAt, 300n);
    assert.equal(codeOf(await ask({})), status.UNAUTHENTICATED);
    assert.equal(codeOf(await ask({ audience: [] }, token)), status.INVALID_ARGUMENT);
    assert.equal(codeOf(await ask({ ttlSeconds: -1n }, token)), status.INVALID_ARGUMENT);
    assert.equal(codeOf(await ask({ spiffeId: 'spiffe://cluster.local/ns/shop/sa/b' }, token)), status.PERMISSION_DENIED);
    assert.equal(codeOf(await ask({ audience: ['a'.repeat(60_000)] }, token)), status.INVALID_ARGUMENT);
  });

  async function svidOf(name: string): Promise<Svid> {
    const id = must(parseSpiffeId(`spiffe://cluster.local/ns/shop/sa/${name}`));
    const sign = grpcSigner({ target: `127.0.0.1:${service.port}`, serverName: 'gatehouse', timeoutMs: 5000 });
    const { key, csr } = await requestFor(id, await newKey());
    const token = await here.tokens.token({ sub: `system:serviceaccount:shop:${name}` });
    const call = { csr, ttlSeconds: 60, rootsPem: authority.rootCertPem, token };
    const signed = await sign(call, new AbortController().signal);
    assert.ok(signed.kind === 'signed');
    const accepted = acceptCertificate(signed.certChain, { id, key }, must(parseBundle(authority.rootCertPem)), Date.now());
    assert.ok(accepted.ok);
    return accepted.svid;
  }

  it("serves the agent by its workload's certificate; the token is good by the bundle", async () => {
    const address = { target: `127.0.0.1:${service.port}`, serverName: 'gatehouse', timeoutMs: 5000 };
    const jwt = grpcJwtAuthority(address);
    const signed = await jwt.create({ audience: ['x'], rootsPem: authority.rootCertPem, client: await svidOf('orders') });
    assert.ok(signed.kind === 'signed', JSON.stringify(signed));
    const bundle = await jwt.bundle(authority.rootCertPem);
    assert.ok(bundle.kind === 'bundle', JSON.stringify(bundle));
    assert.equal(bundle.trustDomain, 'cluster.local');
    assert.equal(bundle.refreshSeconds, 300);
    const sets = new Map([[TD, must(parseJwtKeySet(bundle.jwks))]]);
    const valid = await validateToken(signed.svid, 'x', sets, new Date());
    assert.ok(valid.ok);
    assert.equal(valid.id, 'spiffe://cluster.local/ns/shop/sa/orders');
    assert.deepEqual(Object.keys(valid.claims).sort(), ['aud', 'exp', 'iat', 'sub']);
    assert.ok(!(await validateToken(signed.svid, 'y', sets, new Date())).ok);
  });

  it('publishes nothing private', async () => {
    const method = rpc(JwtService.method.getBundle);
    const jwks = await new Promise<string>((resolve, reject) => {
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        create(GetBundleRequestSchema),
        (error, answer) =>
          answer === undefined ? reject(error ?? new Error('nothing')) : resolve(Buffer.from(answer.jwks).toString()),
      );
    });
    const document: { keys: object[] } = JSON.parse(jwks);
    assert.deepEqual(
      document.keys.map((key) => Object.keys(key).sort()),
      [['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']],
    );
  });
});
