import { toPem } from '../der/pem.ts';
import { bitString, element, octetString, sequence, TRUE } from '../der/write.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import type { Signer } from '../key-store/signer.ts';
import type { IntermediateRequest } from './upstream.ts';

const fixed = (hexadecimal: string): Uint8Array => Buffer.from(hexadecimal, 'hex');
const oid = (contents: string): Uint8Array => element(0x06, fixed(contents));
const VERSION_1 = fixed('020100');
const PRINTABLE_UTF8 = 0x0c;

function attribute(type: string, value: string): Uint8Array {
  return element(0x31, sequence(oid(type), element(PRINTABLE_UTF8, Buffer.from(value, 'utf8'))));
}

const extension = (type: string, critical: boolean, value: Uint8Array): Uint8Array =>
  sequence(oid(type), ...(critical ? [TRUE] : []), octetString(value));

/**
 * A certificate request (RFC 2986) for a signing certificate of a trust domain: its SPIFFE ID without a path (X.509-SVID, section 4.2), CA,
 * keyCertSign and cRLSign. Upstreams may take these over or set their own; what comes back is checked.
 */
export async function intermediateRequest(
  signer: Signer,
  trustDomain: TrustDomain,
  ttlSeconds: number,
): Promise<IntermediateRequest> {
  const commonName = `Gatehouse ${trustDomain}`;
  const uri = `spiffe://${trustDomain}`;
  const extensions = sequence(
    extension('551d13', true, sequence(TRUE)),
    extension('551d0f', true, bitString(fixed('06'), 1)),
    extension('551d11', false, sequence(element(0x86, Buffer.from(uri, 'latin1')))),
  );
  const info = sequence(
    VERSION_1,
    // X.520 bounds common names to 64 characters; trust domains may be longer.
    sequence(attribute('55040a', 'Gatehouse'), attribute('550403', commonName.slice(0, 64))),
    signer.publicKey.export({ type: 'spki', format: 'der' }),
    element(0xa0, sequence(oid('2a864886f70d01090e'), element(0x31, extensions))),
  );
  const der = sequence(info, signer.algorithm, bitString(await signer.sign(info)));
  return { csr: toPem('CERTIFICATE REQUEST', der), commonName: commonName.slice(0, 64), uri, ttlSeconds };
}
