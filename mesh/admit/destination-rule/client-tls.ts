import type { Authorities, ClientTls, KeyPair } from '../../model/destination-rule.ts';
import { type Field, fieldsOf } from '../field.ts';
import { flag, oneOf, optionalText, requiredText, text, texts } from '../scalar.ts';

const FIELDS = [
  'mode',
  'sni',
  'subjectAltNames',
  'clientCertificate',
  'privateKey',
  'caCertificates',
  'caCrl',
  'credentialName',
  'insecureSkipVerify',
] as const;

/** TLS as the caller's side speaks it (Istio's ClientTLSSettings). */
export function clientTls(field: Field): ClientTls | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, FIELDS);
  const mode = oneOf(fields.mode, ['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']) ?? 'DISABLE';
  const files = [fields.clientCertificate, fields.privateKey, fields.caCertificates, fields.caCrl];
  const sni = optionalText(fields.sni);
  const subjectAltNames = texts(fields.subjectAltNames);
  const credential = text(fields.credentialName);
  const unchecked = flag(fields.insecureSkipVerify) === true;
  if (unchecked)
    refuseChecks([
      fields.caCertificates,
      fields.caCrl,
      fields.subjectAltNames,
      ...(mode === 'SIMPLE' ? [fields.credentialName] : []),
    ]);
  switch (mode) {
    case 'DISABLE':
      return { mode };
    case 'ISTIO_MUTUAL':
      for (const one of [...files, fields.credentialName]) {
        if (one.given) one.error('contradiction', "ISTIO_MUTUAL uses the workload's own certificates", 'remove it');
      }
      return { mode, sni, subjectAltNames };
    case 'SIMPLE':
    case 'MUTUAL': {
      const keyPair = mode === 'MUTUAL' ? keyPairOf(fields, credential) : undefined;
      if (credential !== '' && files.some((one) => one.given))
        fields.credentialName.error('contradiction', 'stands beside files', 'keep credentialName or the files');
      return { mode, sni, subjectAltNames, keyPair, authorities: authorities(fields, credential, unchecked) };
    }
  }
  return mode satisfies never;
}

function refuseChecks(fields: readonly Field[]): void {
  for (const one of fields) {
    if (!one.given) continue;
    one.error(
      'contradiction',
      'has no meaning where insecureSkipVerify leaves the server unchecked',
      'remove insecureSkipVerify',
    );
  }
}

function keyPairOf(fields: Record<(typeof FIELDS)[number], Field>, credential: string): KeyPair {
  if (credential !== '') return { kind: 'secret', name: credential };
  const hint = 'MUTUAL needs clientCertificate and privateKey, or credentialName';
  return {
    kind: 'files',
    certificate: requiredText(fields.clientCertificate, hint),
    key: requiredText(fields.privateKey, hint),
  };
}

function authorities(fields: Record<(typeof FIELDS)[number], Field>, credential: string, unchecked: boolean): Authorities {
  if (unchecked) return { kind: 'none' };
  if (credential !== '') return { kind: 'secret', name: credential };
  const path = text(fields.caCertificates);
  const crl = optionalText(fields.caCrl);
  const revoked = crl === undefined ? {} : { crl };
  return path === '' || path === 'system' ? { kind: 'system', ...revoked } : { kind: 'file', path, ...revoked };
}
