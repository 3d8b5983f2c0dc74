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
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'https',
});

/** Ports whose servers speak first, so that nothing may be sniffed (Istio's list of well-known ports). */
const SERVER_FIRST: ReadonlySet<number> = new Set([25, 3306, 27017]);

/** How a Service port's bytes are understood: by appProtocol, then by its name, as Istio's protocol selection. */
export function protocolOf(port: number, name: string, appProtocol: string, transport: string): Protocol {
  if (transport === 'UDP') return 'udp';
  const declared = named(appProtocol.toLowerCase());
  if (declared !== undefined) return declared;
  const lower = name.toLowerCase();
  if (lower === 'grpc-web' || lower.startsWith('grpc-web-')) return 'http';
  const dash = lower.indexOf('-');
  const prefix = named(dash < 0 ? lower : lower.slice(0, dash));
  if (prefix !== undefined) return prefix;
  return SERVER_FIRST.has(port) ? 'tcp' : 'unknown';
}

function named(name: string): Protocol | undefined {
  return Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
}
