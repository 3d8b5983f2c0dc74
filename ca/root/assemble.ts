import type { X509Certificate } from 'node:crypto';
import { withoutScheme } from '../identity/spiffe-id.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import type { Signer } from '../key-store/signer.ts';
import { type Issuer, issuerOf } from '../sign/issuer.ts';
import type { Validity } from '../sign/validity.ts';
import { checkChain } from '../validate/chain.ts';
import type { NameConstraints } from '../validate/name-constraints.ts';
import { parseBundle, pathToRoot } from './chain.ts';
import { AuthorityError } from './error.ts';

/** The authority's certificates and key, checked against each other. */
export interface Root {
  readonly issuer: Issuer;
  /** The trust bundle: root-cert.pem. */
  readonly roots: readonly X509Certificate[];
  readonly rootCertPem: string;
  /** CA certificates below the root, the issuing one first; empty when the root itself issues. PEM. */
  readonly intermediatesPem: readonly string[];
  /** All certificates that may have issued a caller's certificate: issuing CA, intermediates, roots. */
  readonly issuers: readonly X509Certificate[];
  /** What the certificates from the issuing one up to the root allow and exclude. */
  readonly constraints: readonly NameConstraints[];
  /** Lets go of the key: sessions with a token. */
  readonly close: () => Promise<void>;
}

/** The public files of an authority, as text. */
export interface RootFiles {
  readonly certificate: string;
  readonly chain: string | undefined;
  readonly roots: string;
}

/** What to call the files in messages: paths, or keys of a Secret. */
export type FileNames = Readonly<Record<'key' | 'certificate' | 'chain' | 'roots', string>>;

/**
 * Puts an authority together from its files and its key, all of one and the same: the key is the certificate's, the certificate leads to
 * a root, path lengths and name constraints allow it. @throws AuthorityError on anything doubtful
 */
export function assembleRoot(files: RootFiles, signer: Signer, names: FileNames, trustDomain: TrustDomain | undefined): Root {
  const [certificate, ...followers] = bundle(files.certificate, names.certificate);
  const roots = bundle(files.roots, names.roots);
  const chain = [...followers, ...(files.chain === undefined ? [] : bundle(files.chain, names.chain))];
  if (certificate === undefined) throw new AuthorityError(`${names.certificate}: there is no certificate`);
  const issuer = issuerOf(certificate, signer);
  if (!issuer.ok) throw new AuthorityError(`${names.certificate} and ${names.key}: ${issuer.reason}`);
  const path = pathToRoot(certificate, chain, roots);
  if (path === undefined)
    throw new AuthorityError(
      `${names.certificate} does not lead to a root in ${names.roots}; put the certificates between them into ${names.chain}`,
    );
  const isRoot = path.root.raw.equals(certificate.raw);
  const whole = isRoot ? [certificate] : [certificate, ...path.between, path.root];
  const checked = checkChain(whole);
  if (!checked.ok) throw new AuthorityError(`the chain of ${names.certificate} may not issue: ${checked.fault}`);
  checkTrustDomain(names.certificate, certificate, trustDomain);
  return {
    issuer: { ...issuer.value, validity: sharedValidity(whole) },
    roots,
    rootCertPem: roots.map((root) => root.toString()).join(''),
    intermediatesPem: isRoot ? [] : [certificate, ...path.between].map((item) => item.toString()),
    issuers: [certificate, ...path.between, ...roots],
    constraints: checked.constraints,
    close: async () => signer.close?.(),
  };
}

/** When all of a chain is valid: a leaf must not outlive any certificate above it. */
function sharedValidity(chain: readonly X509Certificate[]): Validity {
  return {
    notBefore: new Date(Math.max(...chain.map(({ validFromDate }) => validFromDate.getTime()))),
    notAfter: new Date(Math.min(...chain.map(({ validToDate }) => validToDate.getTime()))),
  };
}

function checkTrustDomain(name: string, certificate: X509Certificate, trustDomain: TrustDomain | undefined): void {
  const uri = /(?:^|, )URI:(spiffe:\/\/[^/,]+)(?:$|,)/.exec(certificate.subjectAltName ?? '')?.[1];
  if (uri === undefined || trustDomain === undefined || uri === `spiffe://${trustDomain}`) return;
  throw new AuthorityError(
    `${name} is of the trust domain ${withoutScheme(uri)}, not ${trustDomain}; give the right one, or another folder`,
  );
}

function bundle(text: string, name: string): readonly X509Certificate[] {
  const found = parseBundle(text);
  if (!found.ok) throw new AuthorityError(`${name}: ${found.reason}`);
  return found.value;
}
