import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { verifyRequest } from '../../../ca/csr/verify.ts';
import { bitString, element, octetString, sequence, TRUE } from '../../../ca/der/write.ts';
import { extension, type RequestParts, requestDer, requestPem, testKey } from '../requests.ts';

const ID = 'spiffe://cluster.local/ns/shop/sa/cart';
const bytes = (hexadecimal: string) => Buffer.from(hexadecimal, 'hex');

function taken(input: string | Uint8Array, kind: string, id: string | undefined): void {
  const result = verifyRequest(input);
  if (!result.ok) assert.fail(result.refusal.reason);
  assert.equal(result.value.key.kind, kind);
  assert.equal(result.value.spiffeId, id);
}

function refused(input: string | Uint8Array, text: RegExp): void {
  const result = verifyRequest(input);
  if (result.ok) assert.fail('taken');
  assert.equal(result.refusal.code, 'invalid');
  assert.match(result.refusal.reason, text);
}

describe('ca/csr: certificate requests', () => {
  it('takes every allowed key, as PEM and DER', () => {
    const kinds = [
      ['P-256', 'P-256'],
      ['P-384', 'P-384'],
      ['Ed25519', 'Ed25519'],
      ['RSA-2048', 'RSA'],
      ['RSA-3072', 'RSA'],
    ] as const;
    for (const [name, kind] of kinds) {
      const parts = { key: testKey(name), uris: [ID] };
      taken(requestPem(parts), kind, ID);
      taken(requestDer(parts), kind, ID);
      taken(Buffer.from(requestPem(parts)), kind, ID);
    }
  });

  it('takes stronger digests and the other label', () => {
    taken(requestPem({ uris: [ID], algorithm: { oid: '300a06082a8648ce3d040303', digest: 'sha384' } }), 'P-256', ID);
    taken(
      requestPem({ uris: [ID] })
        .replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST')
        .replaceAll('\n', '\r\n'),
      'P-256',
      ID,
    );
  });

  it('refuses keys that are not on the list', () => {
    refused(requestDer({ key: testKey('P-521') }), /key algorithm is not allowed/);
    refused(requestDer({ key: testKey('RSA-1024') }), /2048 to 4096 bits/);
    refused(requestDer({ key: testKey('RSA-4104') }), /2048 to 4096 bits/);
  });

  it('refuses a point that is not on the curve', () => {
    const der = requestDer();
    const spki = der.indexOf(bytes('03420004')) + 4;
    der.fill(0x55, spki, spki + 64);
    refused(der, /public key is not valid/);
  });

  it('refuses weak and mismatched signatures', () => {
    refused(requestDer({ algorithm: { oid: '300906072a8648ce3d0401', digest: 'sha1' } }), /signature/);
    refused(requestDer({ algorithm: { oid: '300d06092a864886f70d01010b0500', digest: 'sha256' } }), /signature/);
    refused(requestDer({ signer: testKey('P-256', 'thief') }), /signature/);
    refused(requestDer({ signer: testKey('Ed25519') }), /signature/);
  });

  it('refuses every other name', () => {
    refused(requestDer({ uris: [ID, ID] }), /more than one URI/);
    refused(requestDer({ uris: ['https://example.org/'] }), /no SPIFFE ID/);
    refused(requestDer({ uris: [`${ID}\0`] }), /no SPIFFE ID/);
    for (const tag of [0x81, 0x87, 0xa0, 0x88])
      refused(requestDer({ uris: [ID], otherNames: [element(tag, Buffer.from('gatehouse'))] }), /names other than URIs/);
    refused(requestDer({ extensions: [extension('551d11', sequence())] }), /names are malformed/);
    const dns = (...names: string[]) =>
      requestDer({ uris: [ID], otherNames: names.map((name) => element(0x82, Buffer.from(name))) });
    for (const name of ['', 'Cart', '*.cart', 'cart.', 'a..b', '10.0.0.1', 'cart\0', 'a b', 'x'.repeat(64), '-a', 'ab--c'])
      refused(dns(name), /no DNS name/);
    refused(dns('cart', 'cart'), /twice/);
    refused(dns(...Array.from({ length: 17 }, (_, index) => `cart${index}`)), /more than 16/);
  });

  it('tolerates the extensions that agents send by habit, and no more', () => {
    const habit = [
      extension('551d0f', bitString(bytes('a0'), 5), true),
      extension('551d25', sequence(element(6, bytes('2b06010505070301')), element(6, bytes('2b06010505070302')))),
      extension('551d13', sequence(), true),
      extension('551d0e', octetString(bytes('00112233'))),
    ];
    taken(requestDer({ uris: [ID], extensions: habit }), 'P-256', ID);
    const wrong: [Buffer, RegExp][] = [
      [extension('551d13', sequence(TRUE), true), /CA certificate/],
      [extension('551d0f', bitString(bytes('04'), 2), true), /key usage of a CA/],
      [extension('551d0f', bitString(bytes('02'), 1), true), /key usage of a CA/],
      [extension('551d25', sequence(element(6, bytes('2b06010505070303')))), /extended key usage/],
      [extension('551d1e', sequence()), /not allowed/],
      [extension('2a0304', octetString(bytes('00'))), /not allowed/],
    ];
    for (const [item, text] of wrong) refused(requestDer({ uris: [ID], extensions: [item] }), text);
    const twice = extension('551d0e', octetString(bytes('00')));
    refused(requestDer({ extensions: [twice, twice] }), /extensions are malformed/);
  });

  it('refuses other attributes and versions', () => {
    const challenge = sequence(element(6, bytes('2a864886f70d010907')), element(0x31, element(0x0c, Buffer.from('secret'))));
    refused(requestDer({ attributes: [challenge] }), /attributes other than/);
    refused(requestDer({ attributes: [sequence()] }), /attributes are malformed/);
    refused(requestDer({ version: 1 }), /version/);
  });

  it('refuses what is not exactly one request', () => {
    const pem = requestPem({ uris: [ID] });
    refused(pem + pem, /one PEM block/);
    refused(`text\n${pem}`, /one PEM block/);
    refused(pem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE'), /expected CERTIFICATE REQUEST/);
    refused(pem.replace(/[A-Za-z0-9](?=[A-Za-z0-9+/=]*\n-----END)/, '!'), /one PEM block/);
    refused(Buffer.concat([requestDer(), Buffer.from([0])]), /not PKCS#10/);
    refused(Buffer.alloc(0), /PEM/);
    refused(Buffer.alloc(65_537, 0x30), /64 KiB/);
    // Nesting costs nothing: one level is read at a time.
    refused(Buffer.from('3080'.repeat(30_000), 'hex'), /not PKCS#10/);
  });

  it('refuses any request with one byte changed (seed 20261121)', () => {
    const der = requestDer({ uris: [ID] });
    const check = (at: number, mask: number) => {
      const changed = Buffer.from(der);
      changed[at] = (changed[at] ?? 0) ^ mask;
      // ECDSA signatures have one other valid form, but no single flipped byte leads to it.
      assert.equal(verifyRequest(changed).ok, false, `byte ${at} ^ ${mask}`);
    };
    fc.assert(fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), check), { seed: 20261121, numRuns: 600 });
  });

  it('never throws on arbitrary bytes (seed 20261121)', () => {
    const der = requestDer({ uris: [ID] });
    const cut = fc.tuple(fc.nat(der.length), fc.uint8Array({ maxLength: 40 }), fc.nat(der.length));
    const check = ([from, middle, to]: [number, Uint8Array, number]) => {
      const mixed = Buffer.concat([der.subarray(0, from), middle, der.subarray(to)]);
      if (!mixed.equals(der)) assert.equal(verifyRequest(mixed).ok, false);
    };
    fc.assert(fc.property(cut, check), { seed: 20261121, numRuns: 600 });
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'binary' }), (text) => assert.equal(verifyRequest(text).ok, false)),
      { seed: 20261121 },
    );
  });

  it('takes what OpenSSL makes', function () {
    const parts: RequestParts = {};
    assert.ok(requestPem(parts));
    const make = (...extra: string[]) =>
      execFileSync(
        'openssl',
        ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null', ...extra],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
    try {
      execFileSync('openssl', ['version'], { stdio: 'ignore' });
    } catch {
      if (process.env['CI']) throw new Error('openssl is needed');
      this.skip();
    }
    taken(make('-subj', '/O=cluster.local', '-addext', `subjectAltName=URI:${ID}`), 'P-256', ID);
    taken(make('-subj', '/CN=x'), 'P-256', undefined);
    refused(make('-subj', '/CN=x', '-addext', 'subjectAltName=IP:10.0.0.1'), /names other than URIs/);
    const named = verifyRequest(make('-subj', '/CN=x', '-addext', 'subjectAltName=DNS:cart.shop.svc,DNS:cart'));
    assert.deepEqual(named.ok && named.value.dnsNames, ['cart.shop.svc', 'cart']);
    refused(make('-subj', '/CN=x', '-addext', 'basicConstraints=critical,CA:TRUE'), /CA certificate/);
  });
});
