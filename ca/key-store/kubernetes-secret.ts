import { assembleRoot, type FileNames, type RootFiles } from '../root/assemble.ts';
import { createRoot } from '../root/create.ts';
import { AuthorityError } from '../root/error.ts';
import type { NewRootOptions } from '../root/new.ts';
import { keyFileText } from './encrypt.ts';
import { signerOf } from './open.ts';
import { readPassphrase } from './passphrase.ts';

/** The contents of a Secret by key, decoded from base64. */
export type SecretData = Readonly<Record<string, Uint8Array>>;

/** What the authority needs of the Kubernetes API for the one Secret that holds its key. */
export interface SecretApi {
  /** `namespace/name`, for messages. */
  readonly name: string;
  read(): Promise<SecretData | undefined>;
  /** Never replaces: when the Secret is there already, another replica was first. */
  create(data: SecretData): Promise<'created' | 'exists'>;
}

/** The keys of a Secret by layout, Istio's `cacerts` first; a Secret of the type kubernetes.io/tls (cert-manager) has the others. */
const LAYOUTS: readonly Partial<FileNames>[] = Object.freeze([
  { key: 'ca-key.pem', certificate: 'ca-cert.pem', chain: 'cert-chain.pem', roots: 'root-cert.pem' },
  { key: 'tls.key', certificate: 'tls.crt', roots: 'ca.crt' },
]);
const LARGEST = 1024 * 1024;

/** A CA as texts, by the places of Istio's `cacerts`. */
export interface SecretRoot {
  readonly keyText: string;
  readonly certificate: string;
  readonly chain: string | undefined;
  readonly roots: string;
}

/**
 * The CA that a Kubernetes Secret has; made there when there is none. Any number of replicas may start at once: one of them creates the
 * Secret, all read what is in it then. Nothing is given back that could not sign. @throws AuthorityError that says what is wrong with the
 * Secret
 */
export async function readOrCreateSecretRoot(api: SecretApi, options: NewRootOptions): Promise<SecretRoot> {
  const found = await api.read();
  if (found !== undefined) return secretRoot(found, api.name, options);
  const { clock, trustDomain, key = {}, log } = options;
  if (key.store !== undefined)
    throw new AuthorityError('a key can be kept in a Kubernetes Secret or in a PKCS#11 token, not in both');
  const made = await createRoot(trustDomain, clock(), key.type);
  const passphrase = key.passphrase && (await readPassphrase(key.passphrase));
  const data = {
    'ca-key.pem': Buffer.from(await keyFileText(made.key, passphrase)),
    'ca-cert.pem': Buffer.from(made.certificatePem),
    'root-cert.pem': Buffer.from(made.certificatePem),
  };
  if ((await api.create(data)) === 'created') {
    log.info({ secret: api.name, trustDomain }, 'a new root was created in a Kubernetes Secret');
    return secretRoot(data, api.name, options);
  }
  const winner = await api.read();
  if (winner === undefined) throw new AuthorityError(`the Secret ${api.name} is there and cannot be read; start again`);
  return secretRoot(winner, api.name, options);
}

/** The CA in the data of a Secret, found good: the key is the certificate's, and the chain leads to a root. @throws AuthorityError */
export async function secretRoot(
  data: SecretData,
  secret: string,
  options: Pick<NewRootOptions, 'trustDomain' | 'key'>,
): Promise<SecretRoot> {
  const layout = LAYOUTS.find(({ key: name }) => name !== undefined && data[name] !== undefined);
  const text = (name: string | undefined): string | undefined => {
    const value = name === undefined ? undefined : data[name];
    if (value !== undefined && value.length > LARGEST)
      throw new AuthorityError(`${name} of the Secret ${secret} is larger than 1 MiB`);
    return value && Buffer.from(value).toString('utf8');
  };
  const [keyText, certificate, roots] = [text(layout?.key), text(layout?.certificate), text(layout?.roots)];
  if (keyText === undefined || certificate === undefined || roots === undefined)
    throw new AuthorityError(
      `the Secret ${secret} needs ca-key.pem, ca-cert.pem and root-cert.pem, or tls.key, tls.crt and ca.crt; it has ` +
        (Object.keys(data).join(', ') || 'nothing'),
    );
  const named = (name: string | undefined) => `${name ?? 'the chain'} of the Secret ${secret}`;
  const names: FileNames = {
    key: named(layout?.key),
    certificate: named(layout?.certificate),
    chain: named(layout?.chain),
    roots: named(layout?.roots),
  };
  const files: RootFiles = { certificate, chain: text(layout?.chain), roots };
  const assembled = assembleRoot(files, await signerOf(keyText, names.key, options.key ?? {}), names, options.trustDomain);
  await assembled.close();
  return { ...files, keyText };
}
