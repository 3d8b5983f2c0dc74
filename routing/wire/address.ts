import { isIPv6 } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { type Address, AddressSchema, type CidrRange, CidrRangeSchema } from '#gen/envoy/config/core/v3/address_pb.js';

export function socketAddress(address: string, port: number): Address {
  return create(AddressSchema, {
    address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } },
  });
}

/** An address or a CIDR block, as admission has checked it. */
export function cidrRange(block: string): CidrRange {
  const [addressPrefix = '', bits] = block.split('/');
  const whole = isIPv6(addressPrefix) ? 128 : 32;
  return create(CidrRangeSchema, { addressPrefix, prefixLen: bits === undefined ? whole : Number(bits) });
}
