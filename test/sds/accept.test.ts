import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { acceptCertificate } from '../../sds/identity/accept.ts';
import { parseBundle, type TrustBundle } from '../../sds/identity/bundle.ts';
import { verifyRequest } from '../../ca/csr/verify.ts';
import { newKey, requestFor } from '../../sds/identity/request.ts';
import { type KeyedCertificate, type LeafOptions, selfSignedRoot, signLeaf } from './authority.ts';

const CART = 'spiffe://cluster.local/ns/shop/sa/cart';

function idOf(text: string) {
  const id = parseSpiffeId(text);
  assert.ok(id.ok);
  return id.value;
}

function bundleOf(...roots: readonly KeyedCertificate[]): TrustBundle {
  const bundle = parseBundle(roots.map((root) => root.certificate.toString('pem')).join('\n'));
  assert.ok(bundle.ok);
  return bundle.value;
}

async function publicKeyOf(key: KeyObject): Promise<x509.PublicKey> {
  return new x509.PublicKey(createPublicKey(key).export({ type: 'spki', format: 'der' }));
}

describe('sds: what is accepted from an authority', () => {
  let root: KeyedCertificate;
  let key: KeyObject;
  before(async () => {
    root = await selfSignedRoot();
    key = await newKey();
  });

  async function leaf(more: Partial<LeafOptions> = {}, by = root): Promise<string> {
    const publicKey = more.publicKey ?? (await publicKeyOf(key));
    const certificate = await signLeaf(by, { names: [{ type: 'url', value: CART }], lifetimeMs: 60_000, ...more, publicKey });
    return certificate.toString('pem');
  }

  function accept(chain: readonly string[], now = Date.now(), bundle = bundleOf(root)) {
    return acceptCertificate(chain, { id: idOf(CART), key }, bundle, now);
  }

  function refused(chain: readonly string[], reason: RegExp, now?: number, bundle?: TrustBundle): void {
    const result = accept(chain, now, bundle);
    assert.ok(!result.ok, 'it was accepted');
    assert.match(result.reason, reason);
  }

  it('a certificate for our key and identity under a configured root', async () => {
    const result = accept([await leaf(), root.certificate.toString('pem')]);
    assert.ok(result.ok);
    assert.equal(result.svid.id, CART);
    assert.match(result.svid.serial, /^01[0-9a-f]{30}$/);
    // The root is left out of what peers are sent.
    assert.equal(result.svid.chainPem.match(/BEGIN CERTIFICATE/g)?.length, 1);
  });

  it('not for another key', async () => {
    refused([await leaf({ publicKey: await publicKeyOf(await newKey()) })], /another key/);
  });

  it('not for another identity', async () => {
    refused(
      [await leaf({ names: [{ type: 'url', value: `${CART}2` }] })],
      /is for spiffe:\/\/cluster.local\/ns\/shop\/sa\/cart2/,
    );
  });

  it('not with two identities, nor without any', async () => {
    refused(
      [
        await leaf({
          names: [
            { type: 'url', value: CART },
            { type: 'url', value: CART },
          ],
        }),
      ],
      /more than one URI/,
    );
    refused([await leaf({ names: [{ type: 'dns', value: 'cart' }] })], /no URI name/);
    refused([await leaf({ names: [{ type: 'dns', value: `x, URI:${CART}` }] })], /no URI name/);
  });

  it('not as a CA certificate', async () => {
    // The constraint alone, without the usage: X509Certificate.ca, OpenSSL's verdict, is false for it.
    const constraint = await leaf({ ca: true });
    assert.equal(new X509Certificate(constraint).ca, false);
    refused([constraint], /is a CA certificate/);
    const usage = await leaf({ usages: x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign });
    assert.equal(new X509Certificate(usage).ca, false);
    refused([usage], /is a CA certificate/);
  });

  it('not when it has ended, or begins more than a minute from now', async () => {
    refused([await leaf()], /has expired/, Date.now() + 120_000);
    refused([await leaf()], /not valid before/, Date.now() - 86_400_000);
    assert.ok(accept([await leaf({ backdateMs: 0 })], Date.now() - 30_000).ok);
  });

  it('not under another root, even one of the same name', async () => {
    refused([await leaf({}, await selfSignedRoot())], /does not lead to a root/);
    const twin = await selfSignedRoot(root.certificate.subject.slice(2));
    refused([await leaf({}, twin)], /does not lead to a root/);
  });

  it('under each of several roots', async () => {
    const second = await selfSignedRoot();
    assert.ok(accept([await leaf({}, second)], undefined, bundleOf(root, second)).ok);
  });

  it('nothing empty, endless or garbled', () => {
    refused([], /no PEM certificate/);
    refused(['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'], /cannot be decoded/);
    refused(['x'.repeat(300_000)], /larger than 256 KiB/);
  });

  it('asks with one critical URI name and an empty subject', async () => {
    const { csr } = await requestFor(idOf(CART), key);
    const request = new x509.Pkcs10CertificateRequest(csr);
    assert.equal(request.subject, '');
    const names = request.getExtension('2.5.29.17');
    assert.equal(names?.critical, true);
    assert.ok(await request.verify());
  });

  it('not without a DNS name that was asked for', async () => {
    const named = await leaf({
      names: [
        { type: 'url', value: CART },
        { type: 'dns', value: 'cart.shop.svc' },
      ],
    });
    const asked = { id: idOf(CART), key };
    const take = (chain: string, dnsNames: readonly string[]) =>
      acceptCertificate([chain], { ...asked, dnsNames }, bundleOf(root), Date.now());
    assert.ok(take(named, ['cart.shop.svc']).ok);
    const lacking = take(named, ['cart.shop.svc', 'cart']);
    assert.ok(!lacking.ok && lacking.reason.endsWith('lacks the DNS name cart'));
    assert.equal(take(await leaf(), ['cart.shop.svc']).ok, false);
  });

  it('asks for the DNS names that the authority reads', async () => {
    const { csr } = await requestFor(idOf(CART), key, ['cart.shop.svc', 'cart']);
    const request = verifyRequest(csr);
    assert.deepEqual(request.ok && [request.value.spiffeId, ...request.value.dnsNames], [CART, 'cart.shop.svc', 'cart']);
  });

  it('takes only CA certificates as roots', async () => {
    const bundle = parseBundle(`${root.certificate.toString('pem')}\n${await leaf()}`);
    assert.deepEqual(bundle, { ok: false, reason: 'certificate 2 is not a CA certificate' });
    assert.equal(parseBundle('').ok, false);
  });
});
