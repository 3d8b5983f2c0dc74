import { createPrivateKey } from 'node:crypto';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { parseCertificates } from '../identity/bundle.ts';
import { authoritiesSecret, type EncodedSecret, keyPairSecret } from '../secret/secret.ts';

/**
 * A certificate chain and its key as a secret. Both must belong together: whoever replaces two files replaces one first,
 * and an Envoy that got the mixture would refuse it, or break the listener.
 */
export function keyPairFrom(name: string, certificatePem: string, keyPem: string): Parsed<EncodedSecret> {
  const chain = parseCertificates(certificatePem);
  if (!chain.ok) return refused(`certificate: ${chain.reason}`);
  const [leaf] = chain.value;
  try {
    if (leaf?.checkPrivateKey(createPrivateKey(keyPem)) !== true) return refused('the key is not the one of the certificate');
  } catch {
    // OpenSSL's message may quote the key.
    return refused('the key is no private key in PEM, or it is encrypted');
  }
  return parsed(keyPairSecret(name, chain.value.map((certificate) => certificate.toString()).join(''), keyPem));
}

/** Authorities that peers' certificates must lead to. */
export function authoritiesFrom(name: string, pem: string, crlPem?: string): Parsed<EncodedSecret> {
  const found = parseCertificates(pem);
  if (!found.ok) return refused(found.reason);
  return parsed(authoritiesSecret(name, found.value.map((certificate) => certificate.toString()).join(''), crlPem));
}
