import { randomBytes } from 'node:crypto';
import type { Parsed } from '../identity/parsed.ts';
import { pkcs11At } from '../key-store/open.ts';
import { destroyInToken } from '../key-store/pkcs11/destroy.ts';
import { generateInToken } from '../key-store/pkcs11/generate.ts';
import { pkcs11Signer } from '../key-store/pkcs11/signer.ts';
import { AuthorityError } from '../root/error.ts';
import { type JwtKey, jwtKey } from './key.ts';

const WHERE = 'the keys of JWT-SVIDs';

/** Makes a key in the token of a PKCS#11 URI. A crash before it is saved leaves it there, unused. */
export async function newTokenKey(caKeyUri: string, activeFrom: number): Promise<JwtKey> {
  const uri = besideKey(caKeyUri, randomBytes(4).toString('hex'));
  try {
    await generateInToken(pkcs11At(WHERE, uri), 'ec-p256');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AuthorityError(`no key for JWT-SVIDs could be made in the PKCS#11 token: ${reason}`);
  }
  const key = await openTokenKey(uri, activeFrom);
  if (!key.ok) throw new AuthorityError(`${WHERE}: ${key.reason}`);
  return key.value;
}

export async function openTokenKey(uri: string, activeFrom: number): Promise<Parsed<JwtKey>> {
  const signer = await pkcs11Signer(pkcs11At(WHERE, uri));
  const key = jwtKey(signer, { kind: 'token', uri }, activeFrom);
  if (!key.ok) await signer.close?.();
  return key;
}

export async function removeTokenKey(uri: string): Promise<void> {
  await destroyInToken(pkcs11At(WHERE, uri));
}

/** The URI of a key beside another in its token: labelled as that one, and told apart by its end. */
export function besideKey(uri: string, end: string): string {
  const [path = '', query = ''] = uri.trim().split('?');
  const parts = path.slice('pkcs11:'.length).split(';');
  const label = parts.find((part) => part.startsWith('object='))?.slice('object='.length) ?? 'gatehouse';
  const others = parts.filter((part) => part !== '' && !/^(object|id)=/.test(part));
  return `pkcs11:${[...others, `object=${label.replace(/-g\d+$/, '')}-jwt-${end}`].join(';')}?${query}`;
}
