import type { ClientTls, TrafficPolicy } from '../../model/destination-rule.ts';
import type { Port } from '../../model/port.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { flag, oneOf, optionalText, port, requiredText, text, texts } from '../scalar.ts';
import { connectionPool } from './connection-pool.ts';
import { loadBalancer } from './load-balancer.ts';
import { outlierDetection } from './outlier-detection.ts';
import { otherPolicies } from './other-policies.ts';

const LEVEL = ['loadBalancer', 'connectionPool', 'outlierDetection', 'tls'] as const;

export function trafficPolicy(field: Field): TrafficPolicy | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, [...LEVEL, 'portLevelSettings', 'tunnel', 'proxyProtocol', 'retryBudget']);
  if (!Object.values(fields).some((one) => one.given) && !field.report.failed) {
    field.error(
      'missing-field',
      'the traffic policy is empty',
      'give loadBalancer, connectionPool, outlierDetection or tls, or remove it',
    );
  }
  otherPolicies(fields.tunnel, fields.proxyProtocol, fields.retryBudget);
  const portLevel = new Map<Port, TrafficPolicy>();
  for (const item of itemsOf(fields.portLevelSettings)) {
    const level = fieldsOf(item, [...LEVEL, 'port']);
    const { number } = fieldsOf(level.port, ['number']);
    if (!number.given) level.port.error('missing-field', 'the port has no number', 'as port: {number: 9080}');
    const at = port(number);
    if (at === undefined) continue;
    if (portLevel.has(at)) number.error('duplicate', `port ${at} is given twice`, 'keep one of the settings');
    portLevel.set(at, { ...levelOf(level), portLevel: NO_PORTS });
  }
  return { ...levelOf(fields), portLevel };
}

const NO_PORTS: ReadonlyMap<Port, TrafficPolicy> = new Map();

function levelOf(fields: Record<(typeof LEVEL)[number], Field>): Omit<TrafficPolicy, 'portLevel'> {
  return {
    loadBalancer: loadBalancer(fields.loadBalancer),
    connectionPool: connectionPool(fields.connectionPool),
    outlierDetection: outlierDetection(fields.outlierDetection),
    tls: clientTls(fields.tls),
  };
}

function clientTls(field: Field): ClientTls | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, [
    'mode',
    'sni',
    'subjectAltNames',
    'clientCertificate',
    'privateKey',
    'caCertificates',
    'caCrl',
    'credentialName',
    'insecureSkipVerify',
  ]);
  const mode = oneOf(fields.mode, ['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']) ?? 'DISABLE';
  const files = [fields.clientCertificate, fields.privateKey, fields.caCertificates, fields.caCrl];
  const sni = optionalText(fields.sni);
  const names = texts(fields.subjectAltNames);
  const credential = text(fields.credentialName);
  if (flag(fields.insecureSkipVerify) === true) {
    for (const one of [fields.caCertificates, fields.subjectAltNames, ...(mode === 'SIMPLE' ? [fields.credentialName] : [])]) {
      if (one.given)
        one.error(
          'contradiction',
          'has no meaning where insecureSkipVerify leaves the server unchecked',
          'remove insecureSkipVerify',
        );
    }
  }
  switch (mode) {
    case 'DISABLE':
      return { mode };
    case 'ISTIO_MUTUAL':
      for (const one of [...files, fields.credentialName]) {
        if (one.given) one.error('contradiction', "ISTIO_MUTUAL uses the workload's own certificates", 'remove it');
      }
      return { mode, sni, subjectAltNames: names };
    case 'SIMPLE':
    case 'MUTUAL':
      if (mode === 'MUTUAL' && credential === '') {
        requiredText(fields.clientCertificate, 'MUTUAL needs clientCertificate and privateKey, or credentialName');
        requiredText(fields.privateKey, 'MUTUAL needs clientCertificate and privateKey, or credentialName');
      }
      if (credential !== '' && files.some((one) => one.given))
        fields.credentialName.error('contradiction', 'stands beside files', 'keep credentialName or the files');
      fields.mode.warning(
        'not-yet-applied',
        `TLS origination (${mode}) is not applied yet; requests to this host are answered with 503`,
        'remove tls to send them in plain text, if that is what you want',
      );
      return { mode };
  }
  return mode satisfies never;
}
