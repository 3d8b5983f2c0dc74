import { isIP, isIPv4 } from 'node:net';

/** True for an address or a CIDR block (`10.0.0.0/8`, `2001:db8::/32`), as ipBlocks take them. */
export function isAddressBlock(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  if (more.length > 0 || isIP(address) === 0 || address.includes('%')) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv4(address) ? 32 : 128);
}

export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}
