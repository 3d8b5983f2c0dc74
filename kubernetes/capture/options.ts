/** A list of ports: none, all (`*`), or these. */
export type Ports = 'all' | readonly number[];
/** A list of address ranges in CIDR form, IPv4 and IPv6 mixed: all (`*`), or these. */
export type Ranges = 'all' | readonly string[];

/** What of a pod's traffic goes through its proxy. The words are those of Istio's annotations. */
export interface CaptureOptions {
  readonly outboundPort: number;
  readonly inboundPort: number;
  /** Users and groups whose connections are the proxy's own, and so never captured. */
  readonly proxyUids: readonly number[];
  readonly proxyGids: readonly number[];
  readonly includeOutboundRanges: Ranges;
  readonly excludeOutboundRanges: readonly string[];
  readonly includeInboundPorts: Ports;
  readonly excludeInboundPorts: readonly number[];
  /** Captured whatever their address is. */
  readonly includeOutboundPorts: readonly number[];
  readonly excludeOutboundPorts: readonly number[];
  /** Devices whose traffic is not captured at all. */
  readonly excludeInterfaces: readonly string[];
  /** Devices of virtual machines in the pod: what comes in by them is their outbound traffic. */
  readonly virtualInterfaces: readonly string[];
  /** Queries for names (UDP and TCP port 53) go to the agent at this port of the loopback device; undefined: they are left alone. */
  readonly dnsPort: number | undefined;
}

/** Istio's user and group of proxies. */
export const PROXY_ID = 1337;

export const DEFAULT_CAPTURE: CaptureOptions = Object.freeze({
  outboundPort: 15001,
  inboundPort: 15006,
  proxyUids: [PROXY_ID],
  proxyGids: [PROXY_ID],
  includeOutboundRanges: 'all',
  excludeOutboundRanges: [],
  includeInboundPorts: 'all',
  excludeInboundPorts: [],
  includeOutboundPorts: [],
  excludeOutboundPorts: [],
  excludeInterfaces: [],
  virtualInterfaces: [],
  dnsPort: undefined,
});
