import type { GatewayServer } from '../../model/gateway.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { flag, oneOf, text, texts } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';

const KNOWN = [
  'httpsRedirect',
  'mode',
  'serverCertificate',
  'privateKey',
  'caCertificates',
  'caCrl',
  'credentialName',
  'credentialNames',
  'caCertCredentialName',
  'tlsCertificates',
  'subjectAltNames',
  'verifyCertificateSpki',
  'verifyCertificateHash',
  'minProtocolVersion',
  'maxProtocolVersion',
  'cipherSuites',
] as const;
const MODES = ['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'] as const;
const VERSIONS = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'] as const;

type Fields = Record<(typeof KNOWN)[number], Field>;

/** A server's TLS settings: only the redirect to HTTPS takes effect so far, the rest is checked. */
export function serverTls(field: Field, protocol: GatewayServer['protocol'] | undefined): boolean {
  const secure = protocol === 'HTTPS' || protocol === 'TLS';
  if (!field.given) {
    if (secure)
      field.error('missing-field', `a server of ${protocol} needs tls`, 'as tls: {mode: SIMPLE, credentialName: my-cert}');
    return false;
  }
  const fields = fieldsOf(field, KNOWN);
  const redirect = flag(fields.httpsRedirect) ?? false;
  const mode = oneOf(fields.mode, MODES) ?? 'PASSTHROUGH';
  for (const one of [fields.minProtocolVersion, fields.maxProtocolVersion]) oneOf(one, VERSIONS);
  for (const list of [fields.credentialNames, fields.subjectAltNames, fields.verifyCertificateHash, fields.verifyCertificateSpki])
    texts(list);
  const suites = texts(fields.cipherSuites);
  if (new Set(suites).size < suites.length) fields.cipherSuites.warning('duplicate', 'a cipher suite is given twice', 'keep one');
  checkCertificates(field, fields, mode);
  if (secure) unapplied(field, 'termination and pass-through of TLS at gateways');
  return redirect;
}

function checkCertificates(field: Field, fields: Fields, mode: (typeof MODES)[number]): void {
  const files = [fields.serverCertificate, fields.privateKey, fields.caCertificates, fields.caCrl, fields.caCertCredentialName];
  for (const one of [...files, fields.credentialName]) text(one);
  const inline = fields.serverCertificate.given || fields.privateKey.given;
  const sources = [fields.credentialName.given, fields.credentialNames.given, fields.tlsCertificates.given, inline].filter(
    Boolean,
  ).length;
  switch (mode) {
    case 'PASSTHROUGH':
    case 'AUTO_PASSTHROUGH':
      if (sources > 0 || fields.caCertificates.given || fields.caCrl.given)
        field.warning('no-effect', `${mode} mode uses no certificates`, 'remove them, or use mode: SIMPLE');
      return;
    case 'ISTIO_MUTUAL':
      for (const one of [...files, fields.credentialName, fields.credentialNames, fields.tlsCertificates]) {
        if (one.given) one.error('contradiction', "ISTIO_MUTUAL uses the gateway's own certificates", 'remove it');
      }
      return;
    case 'SIMPLE':
    case 'MUTUAL':
    case 'OPTIONAL_MUTUAL':
      break;
  }
  if (mode === 'SIMPLE' && fields.caCrl.given)
    fields.caCrl.error(
      'contradiction',
      'a revocation list has no meaning where clients show no certificate',
      'remove it, or use mode: MUTUAL',
    );
  if (sources > 1)
    field.error(
      'contradiction',
      'only one of credentialName, credentialNames, tlsCertificates and serverCertificate with privateKey may be given',
      'keep credentialName',
    );
  if (sources === 0 || inline) pair(field, fields.serverCertificate, fields.privateKey, mode);
  for (const item of itemsOf(fields.tlsCertificates)) {
    const one = fieldsOf(item, ['serverCertificate', 'privateKey', 'caCertificates']);
    pair(item, one.serverCertificate, one.privateKey, mode);
  }
  const trusts =
    fields.credentialName.given ||
    fields.credentialNames.given ||
    fields.caCertificates.given ||
    fields.caCertCredentialName.given;
  if (mode !== 'SIMPLE' && !trusts)
    field.error(
      'missing-field',
      `${mode} needs the certificates of the authorities that clients are checked against`,
      'give caCertificates, or a credentialName that holds them',
    );
}

function pair(field: Field, certificate: Field, key: Field, mode: string): void {
  if (text(certificate) === '') field.error('missing-field', `${mode} needs a server certificate`, 'as credentialName: my-cert');
  if (text(key) === '') field.error('missing-field', `${mode} needs a private key`, 'as credentialName: my-cert');
}
