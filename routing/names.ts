import { type Hostname, parseHostname } from '../mesh/model/hostname.ts';
import type { Port } from '../mesh/model/port.ts';

/** Istio's resource names, so that existing dashboards and tools read them. */
export const VIRTUAL_OUTBOUND = 'virtualOutbound';
export const VIRTUAL_INBOUND = 'virtualInbound';
export const HTTP_PROXY = 'http_proxy';
export const BLACK_HOLE = 'BlackHoleCluster';
export const PASSTHROUGH = 'PassthroughCluster';
export const INBOUND_PASSTHROUGH = 'InboundPassthroughCluster';

/** Ports that iptables redirects to, and the explicit HTTP proxy's. */
export const OUTBOUND_CAPTURE_PORT = 15001;
export const INBOUND_CAPTURE_PORT = 15006;

export function outboundCluster(port: Port, subset: string | undefined, host: Hostname): string {
  return `outbound|${port}|${subset ?? ''}|${host}`;
}

/** The service that such a cluster is of; undefined for all other names. */
export function clusterHost(name: string): Hostname | undefined {
  if (hosts.has(name)) return hosts.get(name);
  if (hosts.size >= MOST_HOSTS) hosts.clear();
  const host = hostIn(name);
  hosts.set(name, host);
  return host;
}

/** A proxy that comes back names all its clusters, and so do all others. */
const hosts = new Map<string, Hostname | undefined>();
const MOST_HOSTS = 65_536;

function hostIn(name: string): Hostname | undefined {
  const [direction, , , host, ...rest] = name.split('|');
  return direction === 'outbound' && host !== undefined && rest.length === 0 ? parseHostname(host) : undefined;
}

/** The SNI that an mTLS client sends for that cluster (Istio's form: no `|`, which is not a host name). */
export function outboundSni(port: Port, subset: string | undefined, host: Hostname): string {
  return `outbound_.${port}_.${subset ?? ''}_.${host}`;
}

export function inboundCluster(port: Port): string {
  return `inbound|${port}||`;
}

export function gatewayRoutes(port: number): string {
  return `http.${port}`;
}

/** The routes of a server whose TLS the gateway ends: such a server has routes of its own. */
export function secureGatewayRoutes(port: number, portName: string, gateway: string, namespace: string): string {
  return `https.${port}.${portName}.${gateway}.${namespace}`;
}
