import { verify } from 'node:crypto';
import { soleBlock } from '../der/pem.ts';
import { hex, members, soleElement, TAG, wholeBits } from '../der/read.ts';
import type { Parsed } from '../identity/parsed.ts';
import { parseSpiffeId, type SpiffeId } from '../identity/spiffe-id.ts';
import { outcome, refuse, type Outcome } from '../refusal.ts';
import type { DnsName } from '../dns/dns-name.ts';
import { type RequestedNames, requestedNames } from './extensions.ts';
import { isUsable, parseKey, type RequestedKey } from './keys.ts';
import { SIGNATURES } from './signatures.ts';

/** A request whose sender has shown possession of the private key. */
export interface VerifiedRequest {
  readonly key: RequestedKey;
  /** The one URI name asked for; undefined when the request asks for none. */
  readonly spiffeId: SpiffeId | undefined;
  /** Asked for besides; whether they may be had is another matter. */
  readonly dnsNames: readonly DnsName[];
}

/** Bytes of a request, PEM or DER. The largest sane one, RSA-4096 with a 2,048-byte URI, has under 6 KiB. */
export const LARGEST_REQUEST = 64 * 1024;

const LABELS: readonly string[] = Object.freeze(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']);

const invalid = (reason: string) => refuse('invalid', `certificate request: ${reason}`);

/**
 * Parses a PKCS#10 request (RFC 2986), DER only, and verifies its signature. The subject is read over: certificates
 * have an empty one. Size is checked before anything else looks at the bytes.
 */
export function verifyRequest(input: string | Uint8Array): Outcome<VerifiedRequest> {
  if (input.length > LARGEST_REQUEST) return invalid(`it is larger than ${LARGEST_REQUEST / 1024} KiB`);
  const der = bytesOf(input);
  if (!der.ok) return invalid(der.reason);
  const [info, algorithm, signatureBits, extra] = members(soleElement(der.value)) ?? [];
  const [version, subject, spki, attributes, more] = members(info) ?? [];
  const signature = wholeBits(signatureBits);
  if (info === undefined || algorithm === undefined || signature === undefined || extra !== undefined)
    return invalid('it is not PKCS#10');
  if (version?.tag !== TAG.integer || hex(version.value) !== '00') return invalid('it is not PKCS#10 version 1');
  const attributeList = members(attributes, TAG.context0);
  if (members(subject) === undefined || spki === undefined || attributeList === undefined || more !== undefined)
    return invalid('it is not PKCS#10');
  const key = parseKey(spki.raw);
  if (!key.ok) return invalid(key.reason);
  const names = requestedNames(attributeList);
  if (!names.ok) return invalid(names.reason);
  const fault = wrongSignature(key.value, hex(algorithm.raw), info.raw, signature);
  if (fault !== undefined) return invalid(fault);
  return withIdentity(key.value, names.value);
}

function bytesOf(input: string | Uint8Array): Parsed<Uint8Array> {
  if (typeof input === 'string') return soleBlock(input, LABELS);
  if (input[0] === TAG.sequence) return { ok: true, value: input };
  return soleBlock(Buffer.from(input).toString('latin1'), LABELS);
}

const UNUSABLE = 'the public key is not valid';
const UNSIGNED = 'its signature does not verify with its own key';

/** The key is not parsed apart: verifying with its text does both in one step. */
function wrongSignature(key: RequestedKey, algorithm: string, info: Uint8Array, signature: Uint8Array): string | undefined {
  const known = SIGNATURES[algorithm];
  if (known === undefined || !known.keys.includes(key.kind)) return isUsable(key) ? UNSIGNED : UNUSABLE;
  try {
    return verify(known.digest, info, key.pem, signature) ? undefined : UNSIGNED;
  } catch {
    return isUsable(key) ? UNSIGNED : UNUSABLE;
  }
}

function withIdentity(key: RequestedKey, { uris, dnsNames }: RequestedNames): Outcome<VerifiedRequest> {
  const [uri, another] = uris;
  if (another !== undefined) return invalid('it asks for more than one URI (X.509-SVID, section 2 allows one)');
  if (uri === undefined) return outcome({ key, spiffeId: undefined, dnsNames });
  const id = parseSpiffeId(uri);
  return id.ok ? outcome({ key, spiffeId: id.value, dnsNames }) : invalid(`its URI is no SPIFFE ID: ${id.reason}`);
}
