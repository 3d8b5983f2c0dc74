import type { GatewayServer } from '../../model/gateway.ts';
import { type Field, fieldsOf } from '../field.ts';
import { flag } from '../scalar.ts';
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

/** A server's TLS settings: only the redirect to HTTPS takes effect so far. */
export function serverTls(field: Field, protocol: GatewayServer['protocol'] | undefined): boolean {
  const secure = protocol === 'HTTPS' || protocol === 'TLS';
  if (!field.given) {
    if (secure)
      field.error('missing-field', `a server of ${protocol} needs tls`, 'as tls: {mode: SIMPLE, credentialName: my-cert}');
    return false;
  }
  const fields = fieldsOf(field, KNOWN);
  const redirect = flag(fields.httpsRedirect) ?? false;
  if (secure) unapplied(field, 'termination and pass-through of TLS at gateways');
  return redirect;
}
