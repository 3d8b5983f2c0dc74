import type { Authorities, KeyPair } from '../../model/destination-rule.ts';
import type { GatewayServer, ServerTls, TlsVersion } from '../../model/gateway.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { flag, oneOf, text, texts } from '../scalar.ts';
import { CIPHER_SUITES, CURVES, HASH, knownOf, pins, SPKI } from './tls-parameters.ts';

/** The fields of Istio's ServerTLSSettings. */
export const SERVER_TLS = [
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
  'ecdhCurves',
  'insecureSkipVerify',
] as const;
const MODES = ['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'] as const;
const VERSIONS = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'] as const;

const CERTIFICATE = ['serverCertificate', 'privateKey', 'caCertificates'] as const;

type Fields = Record<(typeof SERVER_TLS)[number], Field>;

export interface ReadTls {
  readonly tls: ServerTls;
  readonly httpsRedirect: boolean;
}

const PLAIN: ServerTls = Object.freeze({ kind: 'none' });
const UNAVAILABLE: ServerTls = Object.freeze({ kind: 'unavailable' });

/** A server's TLS settings, and whether plain requests are sent on to HTTPS. */
export function serverTls(field: Field, protocol: GatewayServer['protocol'] | undefined): ReadTls {
  const secure = protocol === 'HTTPS' || protocol === 'TLS';
  if (!field.given) {
    if (secure)
      field.error('missing-field', `a server of ${protocol} needs tls`, 'as tls: {mode: SIMPLE, credentialName: my-cert}');
    return { tls: secure ? UNAVAILABLE : PLAIN, httpsRedirect: false };
  }
  const fields = fieldsOf(field, SERVER_TLS);
  const httpsRedirect = flag(fields.httpsRedirect) ?? false;
  const mode = oneOf(fields.mode, MODES) ?? 'PASSTHROUGH';
  checkCertificates(field, fields, mode);
  if (flag(fields.insecureSkipVerify) === true)
    fields.insecureSkipVerify.error(
      'not-supported',
      'would let in every client that shows any certificate',
      'remove it; use mode: SIMPLE if clients need not be known',
    );
  const read = settings(fields, mode);
  return { tls: secure ? read : PLAIN, httpsRedirect };
}

const CLIENTS = Object.freeze({
  SIMPLE: 'none',
  OPTIONAL_MUTUAL: 'optional',
  MUTUAL: 'required',
  ISTIO_MUTUAL: 'mesh',
} as const);

function settings(fields: Fields, mode: (typeof MODES)[number]): ServerTls {
  const [minVersion, maxVersion] = [version(fields.minProtocolVersion), version(fields.maxProtocolVersion)];
  const subjectAltNames = texts(fields.subjectAltNames);
  const verifyCertificateSpki = pins(fields.verifyCertificateSpki, SPKI, 'the SHA-256 of a public key in base64 (44 characters)');
  const verifyCertificateHash = pins(fields.verifyCertificateHash, HASH, 'the SHA-256 of a certificate in hex (64 digits)');
  const cipherSuites = knownOf(fields.cipherSuites, CIPHER_SUITES, 'cipher suite');
  const ecdhCurves = knownOf(fields.ecdhCurves, CURVES, 'curve');
  switch (mode) {
    case 'PASSTHROUGH':
      return { kind: 'passthrough' };
    case 'AUTO_PASSTHROUGH':
      return { kind: 'auto-passthrough' };
    case 'SIMPLE':
    case 'MUTUAL':
    case 'OPTIONAL_MUTUAL':
    case 'ISTIO_MUTUAL':
      break;
    default:
      return mode satisfies never;
  }
  const trusted = authorities(fields);
  if (fields.caCrl.given && trusted?.kind === 'secret') {
    fields.caCrl.error(
      'contradiction',
      'is a file, and the authorities are in a Secret',
      'put the list into the Secret, as ca.crl',
    );
    return UNAVAILABLE;
  }
  const clients = CLIENTS[mode];
  return {
    kind: 'terminate',
    clients,
    keyPairs: keyPairs(fields),
    authorities: clients === 'none' || clients === 'mesh' ? undefined : trusted,
    subjectAltNames,
    verifyCertificateSpki,
    verifyCertificateHash,
    minVersion,
    maxVersion,
    cipherSuites,
    ecdhCurves,
  };
}

function version(field: Field): TlsVersion | undefined {
  const found = oneOf(field, VERSIONS);
  return found === 'TLS_AUTO' ? undefined : found;
}

function keyPairs(fields: Fields): readonly KeyPair[] {
  const credential = text(fields.credentialName);
  if (credential !== '') return [{ kind: 'secret', name: credential }];
  const several = texts(fields.credentialNames);
  if (several.length > 0) return several.map((name) => ({ kind: 'secret', name }));
  const files = [fields, ...itemsOf(fields.tlsCertificates).map((item) => fieldsOf(item, CERTIFICATE))];
  return files.flatMap(({ serverCertificate, privateKey }): readonly KeyPair[] => {
    const [certificate, key] = [text(serverCertificate), text(privateKey)];
    return certificate === '' || key === '' ? [] : [{ kind: 'files', certificate, key }];
  });
}

function authorities(fields: Fields): Authorities | undefined {
  const own = text(fields.caCertCredentialName);
  if (own !== '') return { kind: 'secret', name: own };
  const credential = text(fields.credentialName) || texts(fields.credentialNames)[0];
  if (credential !== undefined && credential !== '') return { kind: 'secret', name: credential };
  const path = text(fields.caCertificates);
  const crl = text(fields.caCrl);
  return path === '' ? undefined : { kind: 'file', path, ...(crl === '' ? {} : { crl }) };
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
    const one = fieldsOf(item, CERTIFICATE);
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
