import type { LogAddress } from './log-entry.ts';

export interface SocketEnd {
  readonly ip: string;
  readonly port: number | undefined;
}

/** The IP and port of an Envoy address; undefined for pipes and internal listeners. IPv4 in IPv6 is written as IPv4. */
export function socketEnd(address: LogAddress | undefined): SocketEnd | undefined {
  if (address?.address.case !== 'socketAddress') return undefined;
  const { address: ip, portSpecifier } = address.address.value;
  return { ip: ip.replace(/^::ffff:(?=\d+\.)/i, ''), port: portSpecifier.case === 'portValue' ? portSpecifier.value : undefined };
}
