import { X509Certificate } from 'node:crypto';
import type { Diagnostic } from '../../model/diagnostic.ts';
import { itemsAt, labelsAt, textAt } from '../node-path.ts';
import { shorten } from '../node.ts';
import type { Written } from '../written.ts';
import { finding, type Inventory, some } from './inventory.ts';
import { secretValue as valueOf } from './secret-state.ts';

/** What is wrong with the certificate in a Secret that a server shows; its contents are never part of the answer. */
function certificateProblem(secret: Written, now: Date): string | undefined {
  const pair = [
    ['tls.crt', 'tls.key'],
    ['cert', 'key'],
  ].find(([certificate = '']) => valueOf(secret, certificate) !== undefined);
  const [certificate = '', key = ''] = pair ?? [];
  if (pair === undefined || valueOf(secret, key) === undefined) return 'has not both tls.crt and tls.key (or cert and key)';
  try {
    const { validToDate } = new X509Certificate(valueOf(secret, certificate) ?? '');
    return validToDate.getTime() < now.getTime()
      ? `holds a certificate that expired on ${validToDate.toISOString().slice(0, 10)}`
      : undefined;
  } catch {
    return `has in ${certificate} no certificate in PEM`;
  }
}

const CLIENT_AUTHORITIES = Object.freeze(['ca.crt', 'cacert']);

/** Credentials of Gateways: whether they are where the gateway looks for them, and of use. */
export function gatewaySecrets(inventory: Inventory): readonly Diagnostic[] {
  const secrets = new Map(inventory.kubernetes('Secret').map((one) => [`${one.namespace}/${one.name}`, one]));
  // Secrets are seldom kept beside other configuration: without any, none is missing.
  if (secrets.size === 0) return [];
  return inventory.istio('Gateway').flatMap((gateway) => {
    const namespaces = inventory.gatewayNamespaces(labelsAt(gateway.node, 'spec', 'selector'));
    if (namespaces.length === 0) return [];
    return itemsAt(gateway.node, 'spec', 'servers').flatMap((server, at) => {
      const name = textAt(server, 'tls', 'credentialName');
      if (name === '' || name.includes('://')) return [];
      const field = `spec.servers[${at}].tls.credentialName`;
      const found = namespaces.flatMap((namespace) => secrets.get(`${namespace}/${name}`) ?? []);
      const [secret] = found;
      if (secret === undefined) {
        const elsewhere = [...secrets.values()].filter((one) => one.name === name).map(({ namespace }) => namespace);
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
      const problem = certificateProblem(secret, inventory.now) ?? clientProblem(server, secret, secrets);
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
function clientProblem(
  server: Parameters<typeof textAt>[0],
  secret: Written,
  secrets: ReadonlyMap<string, Written>,
): string | undefined {
  if (textAt(server, 'tls', 'mode') !== 'MUTUAL') return undefined;
  const places = [secret, secrets.get(`${secret.namespace}/${secret.name}-cacert`)];
  const found = places.some((one) => one !== undefined && CLIENT_AUTHORITIES.some((key) => valueOf(one, key) !== undefined));
  return found ? undefined : `names no authority for clients' certificates (ca.crt, or a Secret ${secret.name}-cacert)`;
}
