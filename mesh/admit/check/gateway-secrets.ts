import { X509Certificate } from 'node:crypto';
import type { Diagnostic } from '../../model/diagnostic.ts';
import { itemsAt, labelsAt, textAt } from '../node-path.ts';
import { shorten } from '../node.ts';
import type { Written } from '../written.ts';
import { byName, finding, type Inventory, some } from './inventory.ts';
import { remembered } from '../../model/remembered.ts';
import { secretValue as valueOf } from './secret-state.ts';

/** What is known of the certificate in a Secret: until when it holds, or what is wrong. Its contents are never part of the answer. */
const certificateOf = remembered((secret: Written): Date | string => {
  const pair = [
    ['tls.crt', 'tls.key'],
    ['cert', 'key'],
  ].find(([certificate = '']) => valueOf(secret, certificate) !== undefined);
  const [certificate = '', key = ''] = pair ?? [];
  if (pair === undefined || valueOf(secret, key) === undefined) return 'has not both tls.crt and tls.key (or cert and key)';
  try {
    return new X509Certificate(valueOf(secret, certificate) ?? '').validToDate;
  } catch {
    return `has in ${certificate} no certificate in PEM`;
  }
});

function certificateProblem(secret: Written, now: Date): string | undefined {
  const known = certificateOf(secret);
  if (typeof known === 'string') return known;
  return known.getTime() < now.getTime() ? `holds a certificate that expired on ${known.toISOString().slice(0, 10)}` : undefined;
}

const CLIENT_AUTHORITIES = Object.freeze(['ca.crt', 'cacert']);

/** Credentials of Gateways: whether they are where the gateway looks for them, and of use. */
export function gatewaySecrets(inventory: Inventory): readonly Diagnostic[] {
  const secrets = inventory.kubernetes('Secret');
  // Secrets are seldom kept beside other configuration: without any, none is missing.
  if (secrets.length === 0) return [];
  return inventory.istio('Gateway').flatMap((gateway) => {
    const namespaces = inventory.gatewayNamespaces(labelsAt(gateway.node, 'spec', 'selector'));
    if (namespaces.length === 0) return [];
    return itemsAt(gateway.node, 'spec', 'servers').flatMap((server, at) => {
      const name = textAt(server, 'tls', 'credentialName');
      if (name === '' || name.includes('://')) return [];
      const field = `spec.servers[${at}].tls.credentialName`;
      const found = namespaces.flatMap((namespace) => byName(secrets, `${namespace}/${name}`).slice(0, 1));
      const [secret] = found;
      if (secret === undefined) {
        const elsewhere = secrets.filter((one) => one.name === name).map(({ namespace }) => namespace);
        return [
          finding(
            gateway,
            field,
            'warning',
            'no-such-secret',
            `there is no Secret "${shorten(name)}" in ${some(namespaces)}, where the gateway runs; clients get no TLS handshake`,
            elsewhere.length > 0
              ? `there is one in ${some(elsewhere)}: move it beside the gateway`
              : `kubectl create secret tls -n ${namespaces[0] ?? ''} ${shorten(name)} ...`,
          ),
        ];
      }
      const problem = certificateProblem(secret, inventory.now()) ?? clientProblem(server, secret, secrets);
      if (problem === undefined) return [];
      return [
        finding(
          gateway,
          field,
          'warning',
          'bad-secret',
          `Secret ${secret.namespace}/${shorten(name)} ${problem}; clients get no TLS handshake`,
          'put a certificate and its key in PEM into the Secret, as kubectl create secret tls does',
        ),
      ];
    });
  });
}

/** MUTUAL needs the authorities of clients, beside the certificate or in a Secret NAME-cacert. */
function clientProblem(server: Parameters<typeof textAt>[0], secret: Written, secrets: readonly Written[]): string | undefined {
  if (textAt(server, 'tls', 'mode') !== 'MUTUAL') return undefined;
  const places = [secret, byName(secrets, `${secret.namespace}/${secret.name}-cacert`)[0]];
  const found = places.some((one) => one !== undefined && CLIENT_AUTHORITIES.some((key) => valueOf(one, key) !== undefined));
  return found ? undefined : `names no authority for clients' certificates (ca.crt, or a Secret ${secret.name}-cacert)`;
}
