import { soleElement } from '../der/read.ts';
import { sequence } from '../der/write.ts';
import { outcome, refuse, type Outcome } from '../refusal.ts';
import { type NameConstraints, outsideOf } from '../validate/name-constraints.ts';
import { type CertificateNames, generalNames } from './names.ts';

const EMPTY_SUBJECT = sequence();

/**
 * The names that the certificates above allow. A verifier would refuse a certificate with others, so it is not issued: a workload
 * learns here what is wrong, and not from failing connections. The control plane's own server goes by many names; it keeps those that
 * are allowed.
 */
export function permittedNames(constraints: readonly NameConstraints[], names: CertificateNames): Outcome<CertificateNames> {
  if (constraints.length === 0) return outcome(names);
  if (names.kind === 'workload') {
    const reason = forbidden(constraints, names);
    return reason === undefined ? outcome(names) : refuse('forbidden', `the name constraints of the CA certificates: ${reason}`);
  }
  const dnsNames = names.dnsNames.filter((name) => !forbidden(constraints, { ...names, dnsNames: [name], addresses: [] }));
  const addresses = names.addresses.filter(
    (address) => !forbidden(constraints, { ...names, dnsNames: [], addresses: [address] }),
  );
  if (dnsNames.length + addresses.length > 0) return outcome({ ...names, dnsNames, addresses });
  return refuse('forbidden', 'the name constraints of the CA certificates exclude all names of the server');
}

function forbidden(constraints: readonly NameConstraints[], wanted: CertificateNames): string | undefined {
  const names = generalNames(wanted).flatMap((name) => soleElement(name) ?? []);
  for (const one of constraints) {
    const reason = outsideOf(one, { subject: EMPTY_SUBJECT, names });
    if (reason !== undefined) return reason;
  }
  return undefined;
}
