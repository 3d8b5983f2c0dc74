import type { Protocol } from '../../model/port.ts';

/** Protocol names as Istio reads them in `appProtocol` and before the first `-` of a port's name. */
const NAMES: Readonly<Record<string, Protocol>> = Object.freeze({
  http: 'http',
  http2: 'http2',
  grpc: 'grpc',
  'grpc-web': 'http',
  https: 'https',
  tls: 'tls',
  tcp: 'tcp',
  mongo: 'tcp',
  mysql: 'tcp',
  redis: 'tcp',
  udp: 'udp',
});

/** Kubernetes's own names of `appProtocol` (Kubernetes API reference, ServicePort). */
const STANDARD: Readonly<Record<string, Protocol>> = Object.freeze({
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'https',
});

/** Ports of which no protocol is told and that Istio takes for TCP: their servers speak first (SMTP, DNS, MySQL, MongoDB). */
const TAKEN_FOR_TCP: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

/**
 * How a Service port's bytes are understood, as Istio selects protocols: by `appProtocol` where that is given, whatever it says, else by
 * the port's name up to its first `-`. What tells no protocol that is known is sniffed.
 */
export function protocolOf(port: number, name: string, appProtocol: string, transport: string): Protocol {
  if (transport === 'UDP') return 'udp';
  const standard = lookUp(STANDARD, appProtocol);
  if (standard !== undefined) return standard;
  const told = (appProtocol === '' ? name : appProtocol).toLowerCase();
  if (told.startsWith('grpc-web')) return 'http';
  const dash = told.indexOf('-');
  const prefix = lookUp(NAMES, dash < 0 ? told : told.slice(0, dash));
  if (prefix !== undefined) return prefix;
  return TAKEN_FOR_TCP.has(port) ? 'tcp' : 'unknown';
}

function lookUp(table: Readonly<Record<string, Protocol>>, name: string): Protocol | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
