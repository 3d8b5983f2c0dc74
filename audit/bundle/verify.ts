import type { X509Certificate } from 'node:crypto';
import { CHECKPOINT, PROOFS, VERIFIER_KEY } from './contents.ts';
import { verifyEvidence } from './log-proofs.ts';
import { faultsIn, MANIFEST, type Manifest, parseManifest, SIGNATURE, SIGNER } from './manifest.ts';
import { type SignedBy, signedBy } from './signature.ts';
import { readTar } from './tar.ts';

export interface Verified {
  /** Nothing is wrong with it. */
  readonly ok: boolean;
  readonly faults: readonly string[];
  readonly manifest: Manifest | undefined;
  readonly signer: SignedBy | undefined;
  /** Whether the signer's root is one of those given; undefined when none were. */
  readonly rootKnown: boolean | undefined;
  /** Records of the issuance log that are proven to be in it; undefined when the bundle has none. */
  readonly proofs: number | undefined;
}

/** A clock may be this far behind that of who signed. */
const SKEW_MS = 5 * 60_000;

function failed(fault: string): Verified {
  return { ok: false, faults: [fault], manifest: undefined, signer: undefined, rootKnown: undefined, proofs: undefined };
}

/** Checks every byte of a bundle, with nothing but the bundle and the roots that are trusted. Pure. */
export function verifyBundle(archive: Buffer, roots: readonly X509Certificate[] | undefined, now: Date): Verified {
  const read = readTar(archive);
  if (!read.ok) return failed(read.reason);
  const [manifestFile, signatureFile, ...files] = read.value.files;
  if (manifestFile?.path !== MANIFEST || signatureFile?.path !== SIGNATURE)
    return failed(`it does not begin with ${MANIFEST} and ${SIGNATURE}`);
  const manifest = parseManifest(manifestFile.bytes);
  if (!manifest.ok) return failed(manifest.reason);
  const createdAt = new Date(manifest.value.createdAt);
  const faults: string[] = [...faultsIn(manifest.value, files)];
  if (Math.floor(createdAt.getTime() / 1000) !== read.value.seconds)
    faults.push('the archive is not of the time that its manifest names');
  if (createdAt.getTime() > now.getTime() + SKEW_MS)
    faults.push(`it says that it was made in the future (${manifest.value.createdAt})`);
  const text = (path: string): string | undefined => {
    const file = files.find((one) => one.path === path);
    return file && Buffer.from(file.bytes).toString('utf8');
  };
  const certificates = files.find(({ path }) => path === SIGNER)?.bytes;
  const signer =
    certificates && signedBy({ manifest: manifestFile.bytes, signature: signatureFile.bytes, signer: certificates }, createdAt);
  if (signer === undefined) faults.push(`${SIGNER} is missing`);
  else if (!signer.ok) faults.push(signer.reason);
  const known = signer?.ok === true ? signer.value : undefined;
  const rootKnown = roots && known && roots.some((root) => root.raw.equals(known.root.raw));
  if (rootKnown === false)
    faults.push(`its signer's root (SHA-256 ${known?.rootFingerprint ?? ''}) is none of those that you trust`);
  const [checkpoint, verifierKey, proofs] = [text(CHECKPOINT), text(VERIFIER_KEY), text(PROOFS)];
  const some = [checkpoint, verifierKey, proofs].some((one) => one !== undefined);
  const evidence =
    checkpoint === undefined || verifierKey === undefined || proofs === undefined
      ? undefined
      : verifyEvidence({ checkpoint, verifierKey: verifierKey.trim(), proofs });
  if (some && evidence === undefined) faults.push('of the evidence of the issuance log a part is missing');
  if (evidence?.ok === false) faults.push(evidence.reason);
  return {
    ok: faults.length === 0,
    faults,
    manifest: manifest.value,
    signer: known && {
      subject: known.subject,
      fingerprint: known.fingerprint,
      rootFingerprint: known.rootFingerprint,
      validFrom: known.validFrom,
      validTo: known.validTo,
    },
    rootKnown,
    proofs: evidence?.ok === true ? evidence.value : undefined,
  };
}
