declare const brand: unique symbol;
/** A TCP port, 1 to 65535. */
export type Port = number & { readonly [brand]: 'Port' };

function isPort(value: number): value is Port {
  return Number.isInteger(value) && value >= 1 && value <= 65535;
}

/** Parses a port number; undefined when it is none. */
export function parsePort(value: unknown): Port | undefined {
  return typeof value === 'number' && isPort(value) ? value : undefined;
}

/** How bytes on a port are understood. `unknown` is a port whose name and appProtocol say nothing: treated as TCP with sniffing. */
export type Protocol = 'http' | 'http2' | 'grpc' | 'tcp' | 'tls' | 'https' | 'udp' | 'unknown';

export function isHttp(protocol: Protocol): boolean {
  return protocol === 'http' || protocol === 'http2' || protocol === 'grpc';
}
