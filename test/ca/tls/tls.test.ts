import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import { connect as tlsConnect, type ConnectionOptions, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { Authority } from '../../../ca/authority.ts';
import { peerVerifier } from '../../../ca/tls/peer.ts';
import { connect, createCertificate, type RunningService, serve } from '../service/client.ts';
import { requestPem, testKey } from '../requests.ts';
import { type World, world } from '../world.ts';

const ID = 'spiffe://cluster.local/ns/shop/sa/cart';
const key = () => testKey('P-256', 'tls');

function handshake(port: number, options: ConnectionOptions = {}): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = tlsConnect(
      { host: '127.0.0.1', port, servername: 'gatehouse', ALPNProtocols: ['h2'], ...options },
      () => {
        resolve(socket.getPeerCertificate());
        socket.destroy();
      },
    );
    socket.once('error', reject);
  });
}

async function until(what: string, condition: () => Promise<boolean> | boolean, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; Date.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`not within ${ms} ms: ${what}`);
}

async function certificateFor(
  here: World,
  authority: Authority,
  ttlSeconds: number,
): Promise<{ certPem: string; keyPem: string; notAfter: Date }> {
  const made = await authority.issue({
    csr: requestPem({ key: key(), uris: [ID] }),
    ttlSeconds,
    authorization: [`Bearer ${await here.tokens.token()}`],
  });
  if (!made.ok) throw new Error(made.refusal.reason);
  const keyPem = key().export({ type: 'pkcs8', format: 'pem' }).toString();
  return { certPem: made.value.certChain.join(''), keyPem, notAfter: made.value.notAfter };
}

describe("ca/tls: the control plane's server", () => {
  let here: World;
  let authority: Authority;
  let service: RunningService | undefined;
  beforeEach(async () => {
    here = await world();
    authority = await here.open();
  });
  afterEach(async () => {
    service?.close();
    await here.close();
  });

  it('has a certificate of its own authority with its names', async () => {
    service = await serve(here, authority);
    const peer = await handshake(service.port, { ca: authority.rootCertPem });
    assert.equal(peer.subjectaltname, 'DNS:gatehouse, DNS:localhost, IP Address:127.0.0.1');
    await assert.rejects(handshake(service.port, { ca: authority.rootCertPem, servername: 'other' }), /altnames/);
    await assert.rejects(handshake(service.port), /self-signed|unable to|issuer/);
    await assert.rejects(handshake(service.port, { ca: authority.rootCertPem, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }));
  });

  it('has addresses of both kinds, wherever they are given', async () => {
    const tls = await authority.serverCredentials({
      dnsNames: ['gatehouse', '10.0.0.7'],
      ipAddresses: ['::1', '2001:DB8::a:0:0:1', '::ffff:1.2.3.4'],
    });
    const certificate = new X509Certificate(tls.current().chainPem);
    for (const address of ['10.0.0.7', '::1', '2001:db8::a:0:0:1', '::ffff:1.2.3.4'])
      assert.equal(certificate.checkIP(address), address);
    assert.equal(certificate.checkIP('10.0.0.8'), undefined);
    await assert.rejects(authority.serverCredentials({ dnsNames: ['fe80::1%eth0'] }), /neither a DNS name nor an IP address/);
  });

  it('renews it in place: open connections stay, new ones see the new one', async () => {
    service = await serve(here, authority, { tls: { ttlSeconds: 3 } });
    const { port, tls } = service;
    const first = tls.current();
    const client = connect(port, { rootsPem: authority.rootCertPem });
    const token = await here.tokens.token();
    assert.ok((await createCertificate(client, { csr: requestPem(), token })).ok);
    await until('renewal', () => tls.current().serial !== first.serial);
    const seen = async () => (await handshake(port, { ca: authority.rootCertPem })).serialNumber.toLowerCase();
    assert.equal(await seen(), tls.current().serial);
    await until('the first to expire', () => Date.now() > first.notAfter.getTime());
    assert.notEqual(await seen(), first.serial);
    assert.ok((await createCertificate(client, { csr: requestPem(), token })).ok);
    client.close();
  });

  it('knows the caller by a certificate, until it expires, on an open connection too', async () => {
    service = await serve(here, authority);
    const { certPem, keyPem, notAfter } = await certificateFor(here, authority, 2);
    const client = connect(service.port, { rootsPem: authority.rootCertPem, certPem, keyPem });
    assert.ok((await createCertificate(client, { csr: requestPem() })).ok);
    await until('expiry', () => Date.now() >= notAfter.getTime());
    const late = await createCertificate(client, { csr: requestPem() });
    assert.ok(!late.ok && /client certificate has expired/.test(late.error.details), late.ok ? 'taken' : late.error.details);
    const again = connect(service.port, { rootsPem: authority.rootCertPem, certPem, keyPem });
    const newer = await createCertificate(again, { csr: requestPem() });
    assert.ok(
      !newer.ok && /no client certificate of this authority/.test(newer.error.details),
      newer.ok ? 'taken' : newer.error.details,
    );
    for (const made of [client, again]) made.close();
  });

  it("does not take the server's own certificate for a caller's", () => {
    const server = new X509Certificate(authority.rootCertPem);
    const callWith = (certificate: X509Certificate) => ({
      getAuthContext: () => ({ sslPeerCertificate: { raw: certificate.raw, fingerprint256: certificate.fingerprint256 } }),
    });
    assert.match(reasonOf(authority.peerOf(callWith(server))), /may sign certificates/);
    assert.match(reasonOf(authority.peerOf({ getAuthContext: () => ({}) })), /no client certificate/);
  });

  it('checks peers by its own roots and clock, whatever TLS said', async () => {
    const { certPem } = await certificateFor(here, authority, 60);
    const leaf = new X509Certificate(certPem);
    const call = { getAuthContext: () => ({ sslPeerCertificate: { raw: leaf.raw, fingerprint256: leaf.fingerprint256 } }) };
    const root = new X509Certificate(authority.rootCertPem);
    const roots = [root];
    let now = Date.now();
    const peerOf = peerVerifier(
      () => roots,
      () => new Date(now),
    );
    assert.deepEqual(peerOf(call), { ok: true, value: ID });
    now += 61_000;
    assert.match(reasonOf(peerOf(call)), /has expired/);
    now -= 3600_000;
    assert.match(reasonOf(peerOf(call)), /not valid yet/);
    const elsewhere = await world();
    const foreign = await elsewhere.open();
    const others = [new X509Certificate(foreign.rootCertPem)];
    assert.match(
      reasonOf(
        peerVerifier(
          () => others,
          () => new Date(),
        )(call),
      ),
      /another authority/,
    );
    await elsewhere.close();
    const garbage = { getAuthContext: () => ({ sslPeerCertificate: { raw: Buffer.from('00', 'hex'), fingerprint256: 'x' } }) };
    assert.match(
      reasonOf(
        peerVerifier(
          () => roots,
          () => new Date(),
        )(garbage),
      ),
      /cannot be parsed/,
    );
    const service2 = await authority.serverCredentials({ dnsNames: ['gatehouse'] });
    const own = new X509Certificate(service2.current().chainPem);
    const ownCall = { getAuthContext: () => ({ sslPeerCertificate: { raw: own.raw, fingerprint256: own.fingerprint256 } }) };
    assert.match(reasonOf(authority.peerOf(ownCall)), /no URI name/);
    await assert.rejects(authority.serverCredentials({ dnsNames: ['Not A Name'] }), /neither a DNS name/);
  });
});

function reasonOf(result: { readonly ok: boolean; readonly reason?: string }): string {
  return result.ok ? 'taken' : (result.reason ?? '');
}
