import type { TrafficPolicy } from '../../model/destination-rule.ts';
import type { Port } from '../../model/port.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { port } from '../scalar.ts';
import { clientTls } from './client-tls.ts';
import { connectionPool } from './connection-pool.ts';
import { loadBalancer } from './load-balancer.ts';
import { outlierDetection } from './outlier-detection.ts';
import { proxyProtocol, retryBudget, tunnel } from './other-policies.ts';

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
  const portLevel = new Map<Port, TrafficPolicy>();
  for (const item of itemsOf(fields.portLevelSettings)) {
    const level = fieldsOf(item, [...LEVEL, 'port']);
    const { number } = fieldsOf(level.port, ['number']);
    if (!number.given) level.port.error('missing-field', 'the port has no number', 'as port: {number: 9080}');
    const at = port(number);
    if (at === undefined) continue;
    if (portLevel.has(at)) number.error('duplicate', `port ${at} is given twice`, 'keep one of the settings');
    portLevel.set(at, { ...levelOf(level), ...NOTHING_MORE });
  }
  return {
    ...levelOf(fields),
    tunnel: tunnel(fields.tunnel),
    proxyProtocol: proxyProtocol(fields.proxyProtocol),
    retryBudget: retryBudget(fields.retryBudget),
    portLevel,
  };
}

const NO_PORTS: ReadonlyMap<Port, TrafficPolicy> = new Map();
const NOTHING_MORE = Object.freeze({ tunnel: undefined, proxyProtocol: undefined, retryBudget: undefined, portLevel: NO_PORTS });

function levelOf(fields: Record<(typeof LEVEL)[number], Field>): Pick<TrafficPolicy, (typeof LEVEL)[number]> {
  return {
    loadBalancer: loadBalancer(fields.loadBalancer),
    connectionPool: connectionPool(fields.connectionPool),
    outlierDetection: outlierDetection(fields.outlierDetection),
    tls: clientTls(fields.tls),
  };
}
