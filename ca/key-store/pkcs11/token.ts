import type { KeyObject } from 'node:crypto';
import { CK } from './constants.ts';
import { type Attribute, type Handle, type Library, ulong } from './library.ts';
import { publicKeyOf } from './public-key.ts';
import type { Pkcs11Uri } from './uri.ts';

/** The slot that holds the token of the URI. @throws Error that says which tokens there are */
export function slotOf(library: Library, uri: Pkcs11Uri): Handle {
  const there = library.slots().map((slot) => ({ slot, ...library.token(slot) }));
  const fit = there.filter(
    ({ label, serial }) =>
      (uri.token === undefined || uri.token === label) && (uri.serial === undefined || uri.serial === serial),
  );
  const [first, another] = fit;
  if (another !== undefined) throw new Error('more than one token fits the PKCS#11 URI; add serial');
  if (first !== undefined) return first.slot;
  const labels = there.map(({ label }) => JSON.stringify(label)).filter((label) => label !== '""');
  throw new Error(`there is no token ${uri.token ?? uri.serial ?? ''}; there is ${labels.join(', ') || 'none'}`);
}

export interface TokenKey {
  readonly handle: Handle;
  readonly publicKey: KeyObject;
}

/** The private key of the URI and its public half. @throws Error when there is not exactly one, or the public half is missing */
export function keyOf(library: Library, session: Handle, uri: Pkcs11Uri): TokenKey {
  const [handle, another] = library.find(session, template(CK.CKO_PRIVATE_KEY, uri.object, uri.id));
  if (handle === undefined) throw new Error('the token has no such private key (or the PIN does not show it)');
  if (another !== undefined) throw new Error('more than one private key of the token fits; add id to the PKCS#11 URI');
  const id = library.attribute(session, handle, CK.CKA_ID);
  const [open] = library.find(session, template(CK.CKO_PUBLIC_KEY, id.length > 0 ? undefined : uri.object, id));
  if (open === undefined)
    throw new Error('the token has no public key object with the same id as the private key; store it there');
  return { handle, publicKey: publicKeyOf(library, session, open) };
}

export function template(kind: bigint, label: string | undefined, id: Uint8Array | undefined): readonly Attribute[] {
  const attributes: Attribute[] = [[CK.CKA_CLASS, ulong(kind)]];
  if (label !== undefined) attributes.push([CK.CKA_LABEL, Buffer.from(label, 'utf8')]);
  if (id !== undefined && id.length > 0) attributes.push([CK.CKA_ID, id]);
  return attributes;
}
