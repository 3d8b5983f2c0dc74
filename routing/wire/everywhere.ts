import type { Address } from '#gen/envoy/config/core/v3/address_pb.js';
import type { Families } from '../../mesh/model/families.ts';
import { socketAddress } from './address.ts';

/** The address that stands for all of a proxy's own. */
export function anyAddress(families: Families): '0.0.0.0' | '::' {
  return families === 'IPv6' ? '::' : '0.0.0.0';
}

interface Listened {
  readonly address: Address;
  readonly additionalAddresses?: { readonly address: Address }[];
}

/** A port of all addresses of a proxy: Envoy has one socket for each family. */
export function listensEverywhere(families: Families, port: number): Listened {
  const address = socketAddress(anyAddress(families), port);
  return families === 'both' ? { address, additionalAddresses: [{ address: socketAddress('::', port) }] } : { address };
}
