import type { CaptureOptions } from './options.ts';

function listed(values: 'all' | readonly (string | number)[]): string {
  return values === 'all' ? '*' : values.join(',');
}

/** The flags of `gatehouse capture` that mean these options; lists that are empty by default are left out where they are empty. */
export function captureArguments(options: CaptureOptions): readonly string[] {
  const some = (flag: string, values: readonly (string | number)[]): readonly string[] =>
    values.length === 0 ? [] : [`--${flag}=${listed(values)}`];
  return [
    `--outbound-port=${options.outboundPort}`,
    `--inbound-port=${options.inboundPort}`,
    `--proxy-uid=${listed(options.proxyUids)}`,
    `--proxy-gid=${listed(options.proxyGids)}`,
    `--include-outbound-ranges=${listed(options.includeOutboundRanges)}`,
    ...some('exclude-outbound-ranges', options.excludeOutboundRanges),
    `--include-inbound-ports=${listed(options.includeInboundPorts)}`,
    ...some('exclude-inbound-ports', options.excludeInboundPorts),
    ...some('include-outbound-ports', options.includeOutboundPorts),
    ...some('exclude-outbound-ports', options.excludeOutboundPorts),
    ...some('exclude-interfaces', options.excludeInterfaces),
    ...some('virtual-interfaces', options.virtualInterfaces),
    ...(options.dnsPort === undefined ? [] : [`--dns-port=${options.dnsPort}`]),
  ];
}
