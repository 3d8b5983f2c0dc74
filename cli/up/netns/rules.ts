/** What the rules of a pod's namespace depend on. */
export interface RedirectInput {
  readonly proxyUser: number;
  readonly outboundPort: number;
  readonly inboundPort: number;
  /** For iptables-restore, or for ip6tables-restore. */
  readonly family: 4 | 6;
}

/** The application is called at the loopback; from an address of its own beside it for ports that no Service names (Istio's addresses). */
const LOOPBACK = { 4: { itself: '127.0.0.1/32', source: '127.0.0.6/32' }, 6: { itself: '::1/128', source: '::6/128' } } as const;

/**
 * The NAT rules of a pod's network namespace for iptables-restore: as Istio's init container sets them up.
 * Everything that the application sends goes to the proxy's outbound port, everything that comes in to its inbound port,
 * except what the proxy itself sends and what stays on the loopback device. A proxy that calls its own pod's address (as
 * one of the endpoints of a service) passes the inbound port like any other caller.
 */
export function redirectRules(input: RedirectInput): string {
  const proxy = `-m owner --uid-owner ${input.proxyUser}`;
  const { itself, source } = LOOPBACK[input.family];
  const proxyGroup = `-m owner --gid-owner ${input.proxyUser}`;
  return [
    '*nat',
    ':PREROUTING ACCEPT [0:0]',
    ':INPUT ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':POSTROUTING ACCEPT [0:0]',
    ':GATEHOUSE_INBOUND - [0:0]',
    ':GATEHOUSE_IN_REDIRECT - [0:0]',
    ':GATEHOUSE_OUTPUT - [0:0]',
    ':GATEHOUSE_REDIRECT - [0:0]',
    '-A PREROUTING -p tcp -j GATEHOUSE_INBOUND',
    '-A OUTPUT -p tcp -j GATEHOUSE_OUTPUT',
    '-A GATEHOUSE_INBOUND -p tcp -j GATEHOUSE_IN_REDIRECT',
    `-A GATEHOUSE_IN_REDIRECT -p tcp -j REDIRECT --to-ports ${input.inboundPort}`,
    `-A GATEHOUSE_REDIRECT -p tcp -j REDIRECT --to-ports ${input.outboundPort}`,
    // The proxy to its own application (Istio's original-destination inbound clusters).
    `-A GATEHOUSE_OUTPUT -s ${source} -o lo -j RETURN`,
    `-A GATEHOUSE_OUTPUT ! -d ${itself} -o lo -p tcp ${proxy} -j GATEHOUSE_IN_REDIRECT`,
    `-A GATEHOUSE_OUTPUT -o lo ${proxy.replace('--uid-owner', '! --uid-owner')} -j RETURN`,
    `-A GATEHOUSE_OUTPUT ${proxy} -j RETURN`,
    `-A GATEHOUSE_OUTPUT ! -d ${itself} -o lo -p tcp ${proxyGroup} -j GATEHOUSE_IN_REDIRECT`,
    `-A GATEHOUSE_OUTPUT -o lo ${proxyGroup.replace('--gid-owner', '! --gid-owner')} -j RETURN`,
    `-A GATEHOUSE_OUTPUT ${proxyGroup} -j RETURN`,
    `-A GATEHOUSE_OUTPUT -d ${itself} -j RETURN`,
    '-A GATEHOUSE_OUTPUT -j GATEHOUSE_REDIRECT',
    'COMMIT',
    '',
  ].join('\n');
}
