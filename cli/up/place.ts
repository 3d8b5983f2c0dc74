import { octets } from './slots.ts';

/** Where a pod is on this machine. */
export interface Place {
  readonly ip: string;
  /** Its IPv6 address, where pods have one. */
  readonly ip6?: string;
  readonly appAddress: string;
  readonly netns: string | undefined;
}

/** How traffic gets to the proxies, and the addresses that come of it. */
export type Placement =
  /** 127.BLOCK.x.y for the proxy's side, 127.(BLOCK+1).x.y for the application's. */
  | { readonly kind: 'explicit'; readonly block: number }
  /** A network namespace for each pod on bridge `gh<number>`, 10.SUBNET.0.0/16; the host is .0.1, pods begin at .0.2; with `ipv6` {@link network6} too. */
  | { readonly kind: 'netns'; readonly number: number; readonly subnet: number; readonly ipv6: boolean };

/** The IPv6 network of a bridge, of 64 bits: unique local addresses (RFC 4193), in which pods have their slot plus one, the host 1. */
export function network6(number: number): string {
  return `fd67:6174:6568:${number.toString(16)}::`;
}

/** @param onHost a gateway runs on the host also where pods have namespaces of their own */
export function placeOf(placement: Placement, slot: number, onHost: boolean): Place {
  switch (placement.kind) {
    case 'explicit':
      return {
        ip: `127.${placement.block}.${octets(slot)}`,
        appAddress: `127.${placement.block + 1}.${octets(slot)}`,
        netns: undefined,
      };
    case 'netns': {
      const ip = `10.${placement.subnet}.${octets(slot + 1)}`;
      if (onHost) return { ip, appAddress: ip, netns: undefined };
      const ip6 = placement.ipv6 ? { ip6: `${network6(placement.number)}${(slot + 1).toString(16)}` } : {};
      return { ip, ...ip6, appAddress: ip, netns: `gh${placement.number}-${slot}` };
    }
    default:
      return placement satisfies never;
  }
}
