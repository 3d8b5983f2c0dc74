import { BlockList, isIP } from 'node:net';
import { type Truth, either } from './truth.ts';

type AddressTest = (address: string | undefined) => Truth;

/** The IPv4 address that an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) stands for; any other as it is. */
export function unmapped<T extends string | undefined>(address: T): T | string {
  return address === undefined ? address : (/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address);
}

/** Whether an address is in a block (`10.0.0.0/8`, or one address). An unreadable block or address cannot be decided. */
function inBlock(block: string): AddressTest {
  const [base = '', bits] = block.split('/', 2);
  const family = isIP(base);
  const longest = family === 4 ? 32 : 128;
  const length = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
  if (family === 0 || base.includes('%') || !(length <= longest)) return (address) => (address === undefined ? false : 'unknown');
  const name = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(base, length, name);
  return (address) => {
    if (address === undefined) return false;
    if (isIP(address) === 0) return 'unknown';
    // What a proxy tells of a caller may be an IPv4-mapped address; it is in blocks of both kinds.
    const own = family === 4 ? unmapped(address) : address;
    return isIP(own) === family && list.check(own, name);
  };
}

/** Whether an address is in one of these blocks. */
export function inBlocks(blocks: readonly string[]): AddressTest {
  const tests = blocks.map(inBlock);
  return (address) => either(tests, (test) => test(address));
}
