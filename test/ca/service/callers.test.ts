import { strict as assert } from 'node:assert';
import { randomBytes, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { create, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { Metadata, status } from '@grpc/grpc-js';
import { IstioCertificateRequestSchema } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import { joinTokenFolder } from '../../../ca/authenticate/join-token-folder.ts';
import { hashOfJoinToken, newJoinToken } from '../../../ca/authenticate/join-token.ts';
import type { PodPlacement } from '../../../ca/authenticate/node-proxies.ts';
import type { Authority } from '../../../ca/authority.ts';
import { rateLimit } from '../../../ca/service/rate-limit.ts';
import { workloadSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { requestPem, testKey } from '../requests.ts';
import { account, TD, type World, world } from '../world.ts';
import { type Answer, connect, createCertificate, type RunningService, send, serve } from './client.ts';

const CART = 'spiffe://cluster.local/ns/shop/sa/cart';
const placement: PodPlacement = {
  nodeOf: (namespace, name) => (`${namespace}/${name}` === 'istio-system/ztunnel-1' ? 'n1' : undefined),
  podsOnNode: () => [
    { namespace: 'istio-system', name: 'ztunnel-1', uid: 'u1', serviceAccount: 'ztunnel' },
    { namespace: 'shop', name: 'cart-1', uid: 'u2', serviceAccount: 'cart' },
  ],
};

describe('ca/service: callers over the wire', () => {
  let here: World;
  let authority: Authority;
  let service: RunningService;
  let client: ReturnType<typeof connect>;
  const open = async (options: Parameters<World['open']>[0], more: Parameters<typeof serve>[2] = {}) => {
    authority = await here.open(options);
    service = await serve(here, authority, more);
    client = connect(service.port, { rootsPem: authority.rootCertPem });
  };
  beforeEach(async () => {
    here = await world();
  });
  afterEach(async () => {
    client.close();
    service.close();
    await here.close();
  });

  const ztunnel = () => {
    const details = { namespace: 'istio-system', serviceaccount: { name: 'ztunnel' }, pod: { name: 'ztunnel-1', uid: 'u1' } };
    return here.tokens.token({ sub: account('istio-system', 'ztunnel'), extra: { 'kubernetes.io': details } });
  };
  const ask = (token: string, metadata?: JsonObject, csr = requestPem()): Promise<Answer> => {
    const headers = new Metadata();
    headers.set('authorization', `Bearer ${token}`);
    const request = create(IstioCertificateRequestSchema, { csr, validityDuration: 600n, ...(metadata && { metadata }) });
    return send(client, Buffer.from(toBinary(IstioCertificateRequestSchema, request)), headers);
  };
  const outcomeOf = (answer: Answer): string =>
    answer.ok ? (new X509Certificate(answer.certChain[0] ?? '').subjectAltName ?? '') : (status[answer.error.code] ?? '');

  it("give node proxies the certificates of pods beside them, by istiod's metadata field", async () => {
    await open({ nodeProxies: { trusted: new Set(['istio-system/ztunnel']), placement } });
    const token = await ztunnel();
    assert.equal(outcomeOf(await ask(token, { ImpersonatedIdentity: CART }, requestPem({ uris: [CART] }))), `URI:${CART}`);
    assert.equal(outcomeOf(await ask(token, { ImpersonatedIdentity: CART })), `URI:${CART}`);
    const own = 'URI:spiffe://cluster.local/ns/istio-system/sa/ztunnel';
    for (const none of [{}, { ImpersonatedIdentity: '' }, { other: CART }, undefined])
      assert.equal(outcomeOf(await ask(token, none)), own);
  });

  it('refuse all other impersonation', async () => {
    await open({ nodeProxies: { trusted: new Set(['istio-system/ztunnel']), placement } });
    const token = await ztunnel();
    const pay = 'spiffe://cluster.local/ns/shop/sa/pay';
    assert.equal(outcomeOf(await ask(token, { ImpersonatedIdentity: pay })), 'PERMISSION_DENIED');
    assert.equal(outcomeOf(await ask(token, { ImpersonatedIdentity: CART }, requestPem({ uris: [pay] }))), 'PERMISSION_DENIED');
    for (const wrong of [7, true, [CART], { a: CART }, 'x'])
      assert.equal(outcomeOf(await ask(token, { ImpersonatedIdentity: wrong })), 'INVALID_ARGUMENT');
    assert.equal(outcomeOf(await ask(await here.tokens.token(), { ImpersonatedIdentity: CART })), 'PERMISSION_DENIED');
  });

  it('refuse impersonation where no node proxies are trusted', async () => {
    await open({});
    assert.equal(outcomeOf(await ask(await ztunnel(), { ImpersonatedIdentity: CART })), 'PERMISSION_DENIED');
  });

  it('renew with the certificate that a join token got them, though the token is still sent', async () => {
    await open({});
    const token = newJoinToken(randomBytes);
    const hash = hashOfJoinToken(token) ?? assert.fail();
    const [created, expires] = [new Date(), new Date(Date.now() + 60_000)];
    await joinTokenFolder(join(here.caDir, 'join-tokens')).create({
      hash,
      identity: workloadSpiffeId(TD, 'vm', 'db'),
      created,
      expires,
    });
    const key = testKey('P-256');
    const first = await createCertificate(client, { csr: requestPem({ key }), token });
    assert.equal(outcomeOf(first), 'URI:spiffe://cluster.local/ns/vm/sa/db');
    assert.equal(outcomeOf(await createCertificate(client, { csr: requestPem({ key }), token })), 'UNAUTHENTICATED');
    const certPem = first.ok ? first.certChain.slice(0, 1).join('') : '';
    const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    const mutual = connect(service.port, { rootsPem: authority.rootCertPem, certPem, keyPem });
    try {
      const renewed = await createCertificate(mutual, { csr: requestPem({ key }), token });
      assert.equal(outcomeOf(renewed), 'URI:spiffe://cluster.local/ns/vm/sa/db');
    } finally {
      mutual.close();
    }
  });

  it('are limited by identity and by address, with a hint when to come back', async () => {
    const limit = rateLimit({ perSecond: 0.1, burst: 2, clock: () => performance.now() });
    const byAddress = rateLimit({ perSecond: 0.1, burst: 5, clock: () => performance.now() });
    await open({ limit }, { limit: byAddress });
    const [cart, pay] = [await here.tokens.token(), await here.tokens.token({ sub: account('shop', 'pay') })];
    const answers: Answer[] = [];
    for (const token of [cart, cart, cart, pay, pay, pay])
      answers.push(await createCertificate(client, { csr: requestPem(), token }));
    assert.deepEqual(
      answers.map((answer) => answer.ok),
      [true, true, false, true, true, false],
    );
    for (const [index, text] of [
      [2, /shop\/sa\/cart asks too often/],
      [5, /this address asks too often/],
    ] as const) {
      const answer = answers[index];
      assert.ok(answer !== undefined && !answer.ok);
      assert.equal(answer.error.code, status.RESOURCE_EXHAUSTED);
      assert.match(answer.error.details, text);
      const [ms] = answer.error.metadata.get('grpc-retry-pushback-ms');
      assert.ok(Number(ms) > 5_000 && Number(ms) <= 10_000, String(ms));
    }
  });
});
