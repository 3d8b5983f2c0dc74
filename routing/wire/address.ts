import { isIP, isIPv6 } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { type Address, AddressSchema, type CidrRange, CidrRangeSchema } from '#gen/envoy/config/core/v3/address_pb.js';

export function socketAddress(address: string, port: number): Address {
  return create(AddressSchema, {
    address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } },
  });
}

const SOCKET = 'unix://';

/** True for what Envoy takes as an endpoint that it is told of: names are resolved only in clusters that resolve. */
export function needsNoResolution(address: string): boolean {
  return address.startsWith(SOCKET) || isIP(address) !== 0;
}

/** Where an endpoint is: an IP address or host name with a port, or a Unix socket (`unix:///path`, `unix://@name`), which has none. */
export function endpointAddress(address: string, port: number): Address {
  if (!address.startsWith(SOCKET)) return socketAddress(address, port);
  return create(AddressSchema, { address: { case: 'pipe', value: { path: address.slice(SOCKET.length) } } });
}

/** An address or a CIDR block, as admission has checked it. */
export function cidrRange(block: string): CidrRange {
  const [addressPrefix = '', bits] = block.split('/');
  const whole = isIPv6(addressPrefix) ? 128 : 32;
  return create(CidrRangeSchema, { addressPrefix, prefixLen: bits === undefined ? whole : Number(bits) });
}
