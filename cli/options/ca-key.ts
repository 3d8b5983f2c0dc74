import { Option } from 'commander';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { DEFAULT_KEY_TYPE, KEY_TYPES, parseKeyType } from '../../ca/key-store/key-type.ts';
import { parsePkcs11Uri } from '../../ca/key-store/pkcs11/uri.ts';
import type { NewKey } from '../../ca/root/new.ts';
import { passphraseOptions, passphraseSource } from './passphrase.ts';

/** What commander hands over. */
export interface CaKeyFlags {
  readonly caKeyType?: string;
  readonly keyType?: string;
  readonly caKeyStore?: string;
  readonly keyStore?: string;
  readonly caKeyPassphraseFile?: string;
  readonly caKeyPassphraseEnv?: string;
}

/** How a new CA key is made and kept, and how a kept one is opened. `prefix` is `ca-` where other keys are about. */
export function caKeyOptions(prefix: '' | 'ca-'): readonly Option[] {
  return [
    new Option(
      `--${prefix}key-type <type>`,
      `key of a new root: ${Object.keys(KEY_TYPES).join(', ')} (default: ${DEFAULT_KEY_TYPE})`,
    ),
    new Option(
      `--${prefix}key-store <uri>`,
      'make the key of a new root in this PKCS#11 token: pkcs11:token=…;object=…?module-path=…&pin-source=file:…',
    ),
    ...passphraseOptions('ca-key-passphrase', "of the authority's key file; a new key is encrypted with it"),
  ];
}

export function parseCaKeyFlags(flags: CaKeyFlags): Parsed<NewKey> {
  const type = flags.caKeyType ?? flags.keyType;
  const store = flags.caKeyStore ?? flags.keyStore;
  const known = type === undefined ? undefined : parseKeyType(type);
  if (known?.ok === false) return { ok: false, reason: `the key type ${known.reason}` };
  const uri = store === undefined ? undefined : parsePkcs11Uri(store);
  if (uri?.ok === false) return { ok: false, reason: `the key store: ${uri.reason}` };
  const passphrase = passphraseSource('ca-key-passphrase', flags.caKeyPassphraseFile, flags.caKeyPassphraseEnv);
  if (!passphrase.ok) return passphrase;
  if (store !== undefined && passphrase.value !== undefined)
    return { ok: false, reason: 'a key in a PKCS#11 token has a PIN (pin-source), not a passphrase' };
  return { ok: true, value: { type: known?.value, store, passphrase: passphrase.value } };
}
