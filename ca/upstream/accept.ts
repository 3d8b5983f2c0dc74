import type { KeyObject, X509Certificate } from 'node:crypto';
import { certificateFields } from '../der/certificate.ts';
import { OID } from '../der/oid.ts';
import { element } from '../der/write.ts';
import { elements } from '../der/read.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { parseBundle, pathToRoot } from '../root/chain.ts';
import { checkChain } from '../validate/chain.ts';
import { generalNamesOf, outsideOf } from '../validate/name-constraints.ts';

/** An intermediate that may issue for the trust domain, with its way to a root. */
export interface AcceptedIntermediate {
  readonly certificate: X509Certificate;
  /** Between it and the root, without both. */
  readonly between: readonly X509Certificate[];
  readonly root: X509Certificate;
  /** When all of them are valid. */
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface Expected {
  readonly publicKey: KeyObject;
  readonly trustDomain: TrustDomain;
  readonly now: Date;
  /** Roots that are trusted already; undefined on the very first request, when the upstream's answer says what to trust. */
  readonly trusted?: readonly X509Certificate[] | undefined;
}

const EMPTY_NAME = Buffer.from('3000', 'hex');

/**
 * Checks what an upstream signed before it is used for anything: it is for our key, a CA's, for no other trust domain, valid now, and leads
 * to a trusted root through certificates that allow what we issue. An upstream that has changed its root is refused here: workloads must
 * trust the new root before anything is issued under it.
 */
export function acceptIntermediate(chainPem: string, expected: Expected): Parsed<AcceptedIntermediate> {
  const bundle = parseBundle(chainPem);
  if (!bundle.ok) return refused(bundle.reason);
  const [certificate, ...above] = bundle.value;
  if (certificate === undefined) return refused('there is no certificate');
  if (!certificate.publicKey.equals(expected.publicKey)) return refused('the new certificate is for another key');
  if (certificate.checkIssued(certificate)) return refused('the new certificate is self-signed');
  const selfSigned = above.filter((item) => item.checkIssued(item) && item.verify(item.publicKey));
  const path = pathToRoot(certificate, above, expected.trusted ?? selfSigned);
  if (path === undefined)
    return expected.trusted === undefined
      ? refused('the chain does not lead to a root')
      : refused('the chain leads to no root that is trusted here; first add the new root to the trust bundle');
  const all = [certificate, ...path.between, path.root];
  const chain = checkChain(all);
  if (!chain.ok) return refused(chain.fault);
  const outside = otherTrustDomain(certificate, expected.trustDomain);
  if (outside !== undefined) return refused(outside);
  const names = elements(element(0x86, Buffer.from(`spiffe://${expected.trustDomain}/ns/a/sa/b`, 'latin1'))) ?? [];
  if (chain.constraints.some((constraints) => outsideOf(constraints, { subject: EMPTY_NAME, names }) !== undefined))
    return refused(`name constraints of the chain do not allow SPIFFE IDs of ${expected.trustDomain}`);
  const notBefore = new Date(Math.max(...all.map(({ validFromDate }) => validFromDate.getTime())));
  const notAfter = new Date(Math.min(...all.map(({ validToDate }) => validToDate.getTime())));
  if (expected.now < notBefore || expected.now >= notAfter)
    return refused(`the chain is valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}, which is not now`);
  return parsed({ certificate, between: path.between, root: path.root, notBefore, notAfter });
}

/** A signing certificate may be without a SPIFFE ID; one that is there must be our trust domain's own (X.509-SVID, section 4.2). */
function otherTrustDomain(certificate: X509Certificate, trustDomain: TrustDomain): string | undefined {
  const extension = certificateFields(certificate.raw)?.extensions.get(OID.subjectAltName);
  const names = generalNamesOf(extension?.value);
  if (names === undefined) return 'its alternative names are malformed';
  const uris = names.filter(({ tag }) => tag === 0x86).map(({ value }) => Buffer.from(value).toString('latin1'));
  const wrong = uris.find((uri) => uri.startsWith('spiffe:') && uri !== `spiffe://${trustDomain}`);
  return wrong === undefined ? undefined : `the new certificate is for ${JSON.stringify(wrong)}, not for ${trustDomain}`;
}
