import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import type { Authority } from '../../../ca/authority.ts';
import { requestPem, testKey } from '../requests.ts';
import { account, tokenIssuer, type World, world } from '../world.ts';
import { type Answer, connect, createCertificate, type RunningService, send, serve } from './client.ts';

const CART = 'spiffe://cluster.local/ns/shop/sa/cart';

function chainOf(answer: Answer): readonly string[] {
  if (!answer.ok) assert.fail(answer.error.message);
  return answer.certChain;
}

function refusal(answer: Answer, code: status, text: RegExp): void {
  if (answer.ok) assert.fail('a certificate was issued');
  assert.equal(status[answer.error.code], status[code], answer.error.details);
  assert.match(answer.error.details, text);
}

// Plain calls are answered on connections of our own, all others by grpc-js: both must answer alike.
for (const [way, own] of [
  ['on connections of our own', true],
  ['through grpc-js', false],
] as const)
  describe(`ca: certificate service over TLS, ${way}`, () => {
    let here: World;
    let authority: Authority;
    let service: RunningService;
    const clients: { close(): void }[] = [];
    const client = (options: Partial<Parameters<typeof connect>[1]> = {}) => {
      const made = connect(service.port, { rootsPem: authority.rootCertPem, ...options });
      clients.push(made);
      return made;
    };
    const token = (...claims: Parameters<World['tokens']['token']>) => here.tokens.token(...claims);

    before(async () => {
      here = await world();
      authority = await here.open();
      service = await serve(here, authority, { own });
    });
    afterEach(() => {
      for (const made of clients.splice(0)) made.close();
    });
    after(async () => {
      service.close();
      await here.close();
    });

    it('issues the identity of the token: leaf first, root last', async () => {
      const chain = chainOf(await createCertificate(client(), { csr: requestPem({ uris: [CART] }), token: await token() }));
      assert.equal(chain.length, 2);
      const [leaf, root] = chain.map((pem) => new X509Certificate(pem));
      assert.equal(leaf?.subjectAltName, `URI:${CART}`);
      assert.equal(root?.toString(), authority.rootCertPem);
      assert.ok(root && leaf?.verify(root.publicKey));
      assert.ok(existsSync(authority.rootCertPath));
    });

    it('gives a request without a URI the identity of its caller', async () => {
      const [leaf] = chainOf(await createCertificate(client(), { csr: requestPem(), token: await token() }));
      assert.equal(new X509Certificate(leaf ?? '').subjectAltName, `URI:${CART}`);
    });

    it('renews by the certificate alone, and takes it with a spent token', async () => {
      const key = testKey('P-256', 'renewal');
      const chain = chainOf(await createCertificate(client(), { csr: requestPem({ key, uris: [CART] }), token: await token() }));
      const mutual = client({ certPem: chain[0] ?? '', keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString() });
      chainOf(await createCertificate(mutual, { csr: requestPem({ uris: [CART] }) }));
      chainOf(await createCertificate(mutual, { csr: requestPem({ uris: [CART] }), token: await token({ exp: 1_000_000 }) }));
      const other = await createCertificate(mutual, { csr: requestPem(), token: await token({ sub: account('shop', 'other') }) });
      refusal(other, status.UNAUTHENTICATED, /different identities/);
      const foreign = await createCertificate(mutual, { csr: requestPem({ uris: ['spiffe://cluster.local/ns/shop/sa/other'] }) });
      refusal(foreign, status.PERMISSION_DENIED, /may not have a certificate/);
    });

    it("refuses another's identity", async () => {
      for (const uri of [
        'spiffe://cluster.local/ns/shop/sa/admin',
        'spiffe://other.domain/ns/shop/sa/cart',
        'spiffe://cluster.local',
      ]) {
        const answer = await createCertificate(client(), { csr: requestPem({ uris: [uri] }), token: await token() });
        refusal(answer, status.PERMISSION_DENIED, /may not have a certificate/);
      }
    });

    it('refuses callers without good evidence', async () => {
      const csr = requestPem({ uris: [CART] });
      const stranger = tokenIssuer('k1');
      const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ sub: account('shop', 'cart'), iss: 'x', exp: 9e9 })).toString('base64url')}.`;
      const tries: [Parameters<typeof createCertificate>[1], RegExp][] = [
        [{ csr }, /no token, and no client certificate/],
        [{ csr, token: 'nonsense' }, /malformed/],
        [{ csr, token: none }, /algorithm is not allowed|malformed/],
        [{ csr, token: await token({ exp: 1_000_000 }) }, /has expired/],
        [{ csr, token: await token({ aud: 'vault' }) }, /another audience/],
        [{ csr, token: await token({ iss: 'https://elsewhere' }) }, /another issuer/],
        [{ csr, token: await token({ nbf: 9_000_000_000, exp: 9_000_000_100 }) }, /not valid yet/],
        [{ csr, token: await token({ sub: 'user:root' }) }, /no service account/],
        [{ csr, token: await token({ kid: 'k2' }) }, /no key of the issuer/],
        [{ csr, token: await stranger.token() }, /signature does not verify/],
        [{ csr, authorization: ['Basic cm9vdDpyb290'] }, /no bearer token/],
      ];
      for (const [ask, text] of tries) refusal(await createCertificate(client(), ask), status.UNAUTHENTICATED, text);
    });

    it('refuses a client certificate of another root', async () => {
      const elsewhere = await world();
      try {
        const foreign = await elsewhere.open();
        const key = testKey('P-256', 'foreign');
        const made = await foreign.issue({
          csr: requestPem({ key, uris: [CART] }),
          ttlSeconds: 60,
          authorization: [`Bearer ${await elsewhere.tokens.token()}`],
        });
        assert.ok(made.ok);
        const mutual = client({
          certPem: made.value.certChain.join(''),
          keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
        });
        refusal(
          await createCertificate(mutual, { csr: requestPem({ uris: [CART] }) }),
          status.UNAUTHENTICATED,
          /no client certificate of this authority/,
        );
      } finally {
        await elsewhere.close();
      }
    });

    it('refuses broken and oversized requests and goes on', async () => {
      const good = { token: await token() };
      const wrongSignature = requestPem({ uris: [CART], signer: testKey('P-256', 'thief') });
      refusal(await createCertificate(client(), { ...good, csr: wrongSignature }), status.INVALID_ARGUMENT, /signature/);
      refusal(await createCertificate(client(), { ...good, csr: '' }), status.INVALID_ARGUMENT, /PEM/);
      refusal(await createCertificate(client(), { ...good, csr: 'x'.repeat(70_000) }), status.INVALID_ARGUMENT, /64 KiB/);
      refusal(await createCertificate(client(), { ...good, csr: 'x'.repeat(1_000_000) }), status.INVALID_ARGUMENT, /too large/);
      refusal(
        await createCertificate(client(), { ...good, csr: 'x'.repeat(10_000_000) }),
        status.RESOURCE_EXHAUSTED,
        /larger than max/,
      );
      refusal(await createCertificate(client(), { ...good, csr: requestPem(), ttl: -1 }), status.INVALID_ARGUMENT, /validity/);
      refusal(await send(client(), Buffer.from('ffffffff', 'hex')), status.INVALID_ARGUMENT, /malformed/);
      chainOf(await createCertificate(client(), { ...good, csr: requestPem({ uris: [CART] }) }));
    });
  });
