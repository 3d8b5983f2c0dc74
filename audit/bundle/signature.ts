import { hash, verify, type X509Certificate } from 'node:crypto';
import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import { KEY_TYPES, keyTypeOf } from '../../ca/key-store/key-type.ts';
import type { Root } from '../../ca/root/assemble.ts';
import { parseBundle, pathToRoot } from '../../ca/root/chain.ts';
import { checkChain } from '../../ca/validate/chain.ts';
import { FORMAT } from './manifest.ts';

/** As `ca/sign` has a key: what signs the bytes with the authority's key, wherever that is. */
export type SignBytes = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/**
 * What the authority's key signs. It begins with text, and everything else that this key signs (certificates, revocation lists, tokens' and
 * TLS's own forms) does not, so that neither can be taken for the other.
 */
function signedBytes(manifest: Uint8Array): Buffer {
  return Buffer.from(`${FORMAT}\nsha256:${hash('sha256', manifest)}\n`);
}

export async function sign(manifest: Uint8Array, signBytes: SignBytes): Promise<Buffer> {
  const signature = await signBytes(signedBytes(manifest));
  return Buffer.from(`${Buffer.from(signature).toString('base64')}\n`);
}

/** The certificates of an authority, the one whose key signs first, its root last. */
export function signerChain(root: Root): string {
  const [own, ...others] = root.issuers;
  if (own === undefined) throw new RangeError('an authority without a certificate');
  const path = pathToRoot(own, others, root.roots);
  if (path === undefined) throw new RangeError('an authority that leads to no root');
  const chain = path.root.raw.equals(own.raw) ? [own] : [own, ...path.between, path.root];
  return chain.map((certificate) => certificate.toString()).join('');
}

export interface SignedBy {
  readonly subject: string;
  readonly fingerprint: string;
  readonly rootFingerprint: string;
  readonly validFrom: string;
  readonly validTo: string;
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}

interface SignedParts {
  readonly manifest: Uint8Array;
  readonly signature: Uint8Array;
  readonly signer: Uint8Array;
}

type Signed = Parsed<SignedBy & { readonly root: X509Certificate }>;

/**
 * Who signed, when everything about that is in order: the signature verifies, the certificates lead to their last one, all may issue, and all
 * were valid at the time that the manifest names.
 */
export function signedBy(parts: SignedParts, createdAt: Date): Signed {
  try {
    return checkedSigner(parts, createdAt);
  } catch {
    // OpenSSL throws for keys and certificates that are mangled: whatever it is, it vouches for nothing.
    return refused('the certificates of the signer are damaged');
  }
}

function checkedSigner({ manifest, signature, signer }: SignedParts, createdAt: Date): Signed {
  const bundle = parseBundle(Buffer.from(signer).toString('latin1'));
  if (!bundle.ok) return refused(`the certificates of the signer: ${bundle.reason}`);
  const [own, ...others] = bundle.value;
  const root = bundle.value.at(-1);
  if (own === undefined || root === undefined) return refused('there is no certificate of the signer');
  const type = keyTypeOf(own.publicKey);
  if (!type.ok) return refused(`the key of the signer: ${type.reason}`);
  const text = Buffer.from(signature).toString('latin1');
  const bytes = Buffer.from(text, 'base64');
  if (`${bytes.toString('base64')}\n` !== text) return refused('the signature is malformed');
  if (!verify(KEY_TYPES[type.value].digest, signedBytes(manifest), own.publicKey, bytes))
    return refused('the signature does not verify');
  const path = pathToRoot(own, others, [root]);
  if (path === undefined) return refused('the certificates of the signer do not lead to their root');
  const chain = path.root.raw.equals(own.raw) ? [own] : [own, ...path.between, path.root];
  if (chain.length !== bundle.value.length) return refused('there are more certificates of the signer than lead to their root');
  const checked = checkChain(chain);
  if (!checked.ok) return refused(`the signer is no authority: ${checked.fault}`);
  const time = createdAt.getTime();
  for (const { subject, validFrom, validTo, validFromDate, validToDate } of chain) {
    // A date that is none compares as false, and must not count as valid.
    if (!(time >= validFromDate.getTime() && time <= validToDate.getTime()))
      return refused(
        `${oneLine(subject)} was not valid when the bundle was signed (${createdAt.toISOString()}): it is from ${validFrom} to ${validTo}`,
      );
  }
  return parsed({
    subject: oneLine(own.subject),
    fingerprint: own.fingerprint256,
    rootFingerprint: root.fingerprint256,
    validFrom: own.validFromDate.toISOString(),
    validTo: own.validToDate.toISOString(),
    root,
  });
}
