import { randomBytes } from 'node:crypto';
import { keyFileText } from '../key-store/encrypt.ts';
import { generateKey, type KeyType } from '../key-store/key-type.ts';
import { pkcs11At } from '../key-store/open.ts';
import { type PassphraseSource, readPassphrase } from '../key-store/passphrase.ts';
import { destroyInToken } from '../key-store/pkcs11/destroy.ts';
import { generateInToken } from '../key-store/pkcs11/generate.ts';
import { pkcs11Signer } from '../key-store/pkcs11/signer.ts';
import { memorySigner, type Signer } from '../key-store/signer.ts';
import { AuthorityError } from '../root/error.ts';

/** What the folder holds of a key: the key itself, PEM, or where it is. */
export type KeptKey = { readonly kind: 'file'; readonly text: string } | { readonly kind: 'token'; readonly uri: string };

/** A new key of an intermediate. */
export interface MadeKey {
  readonly signer: Signer;
  readonly kept: KeptKey;
  /** It will not be used. */
  readonly discard: () => Promise<void>;
}

/** Where the keys of intermediates are made and kept. */
export interface KeyPlace {
  make(type: KeyType): Promise<MadeKey>;
  /** A key of this place that no certificate in use is for any more. */
  remove(uri: string): Promise<void>;
}

/** In this process's memory, then in the folder: encrypted where there is a passphrase. */
export function keysInFiles(passphrase?: PassphraseSource): KeyPlace {
  return {
    async make(type) {
      const key = await generateKey(type);
      const signer = memorySigner(key);
      if (!signer.ok) throw new AuthorityError(signer.reason);
      const text = await keyFileText(key, passphrase && (await readPassphrase(passphrase)));
      return { signer: signer.value, kept: { kind: 'file', text }, discard: () => Promise.resolve() };
    },
    remove: (uri) => destroyInToken(pkcs11At(WHERE, uri)),
  };
}

const WHERE = 'the key store';

/**
 * In a PKCS#11 token, which they never leave, each under a label of its own beside that of the URI. A crash before the folder names a new
 * one leaves it in the token, unused.
 */
export function keysInToken(uri: string): KeyPlace {
  const base = pkcs11At(WHERE, uri);
  const label = (base.object ?? 'gatehouse').replace(OWN_END, '');
  return {
    async make(type) {
      const made = labelled(uri, `${label}-up-${randomBytes(4).toString('hex')}`);
      try {
        await generateInToken(pkcs11At(WHERE, made), type);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new AuthorityError(`no key could be made in the PKCS#11 token: ${reason}`);
      }
      const discard = () => destroyInToken(pkcs11At(WHERE, made));
      return { signer: await pkcs11Signer(pkcs11At(WHERE, made)), kept: { kind: 'token', uri: made }, discard };
    },
    remove: (old) => destroyInToken(pkcs11At(WHERE, old)),
  };
}

const OWN_END = /-up-[0-9a-f]{8}$/;

/** Whether a key is one that was made for an intermediate: others may be somebody else's, and are never removed. */
export function isOwnKey(uri: string): boolean {
  return OWN_END.test(pkcs11At(WHERE, uri).object ?? '');
}

function labelled(uri: string, label: string): string {
  const [path = '', query = ''] = uri.trim().split('?');
  const others = path
    .slice('pkcs11:'.length)
    .split(';')
    .filter((part) => part !== '' && !/^(object|id)=/.test(part));
  return `pkcs11:${[...others, `object=${encodeURIComponent(label)}`].join(';')}?${query}`;
}
