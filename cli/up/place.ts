import { octets } from './slots.ts';

/** Where a pod is on this machine. */
export interface Place {
  readonly ip: string;
  readonly appAddress: string;
  readonly netns: string | undefined;
}

/** How traffic gets to the proxies, and the addresses that come of it. */
export type Placement =
  /** 127.BLOCK.x.y for the proxy's side, 127.(BLOCK+1).x.y for the application's. */
  | { readonly kind: 'explicit'; readonly block: number }
  /** A network namespace for each pod on bridge `gh<number>`, 10.SUBNET.0.0/16; the host is .0.1, pods begin at .0.2. */
  | { readonly kind: 'netns'; readonly number: number; readonly subnet: number };

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
      return { ip, appAddress: ip, netns: onHost ? undefined : `gh${placement.number}-${slot}` };
    }
    default:
      return placement satisfies never;
  }
}
