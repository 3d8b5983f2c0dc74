/** Which addresses an instance, and so its proxy, has. */
export type Families = 'IPv4' | 'IPv6' | 'both';

export type Family = 'IPv4' | 'IPv6';

/** @param address as admission has checked it, or the path of a Unix socket: a colon is in every IPv6 address */
export function familyOf(address: string): Family {
  return address.includes(':') && !address.includes('/') ? 'IPv6' : 'IPv4';
}

interface Addressed {
  readonly address: string;
  readonly otherAddress?: string;
}

export function addressesOf({ address, otherAddress }: Addressed): readonly string[] {
  return otherAddress === undefined ? [address] : [address, otherAddress];
}

export function familiesOf(instance: Addressed): Families {
  const first = familyOf(instance.address);
  return instance.otherAddress === undefined || familyOf(instance.otherAddress) === first ? first : 'both';
}
