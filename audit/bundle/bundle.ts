import { FORMAT, listed, MANIFEST, type Manifest, manifestBytes, SIGNATURE, SIGNER } from './manifest.ts';
import { sign, type SignBytes } from './signature.ts';
import { type ArchivedFile, tarOf } from './tar.ts';

export interface BundleRequest {
  readonly about: Pick<Manifest, 'preparedBy' | 'version' | 'store' | 'period'>;
  readonly files: readonly ArchivedFile[];
  /** PEM, the signer first, its root last. */
  readonly signer: string;
  readonly signBytes: SignBytes;
  readonly now: Date;
}

/** Makes a signed archive, in pieces: manifest, signature, the signer's certificates, the files. The same input gives the same hashes. */
export async function bundle({ about, files, signer, signBytes, now }: BundleRequest): Promise<Generator<Uint8Array>> {
  const content = [{ path: SIGNER, bytes: Buffer.from(signer) }, ...files];
  const manifest = manifestBytes({ format: FORMAT, createdAt: now.toISOString(), ...about, files: listed(content) });
  const signature = await sign(manifest, signBytes);
  return tarOf([{ path: MANIFEST, bytes: manifest }, { path: SIGNATURE, bytes: signature }, ...content], now);
}
