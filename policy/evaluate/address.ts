import { BlockList, isIP } from 'node:net';
import { type Truth, either } from './truth.ts';

type AddressTest = (address: string | undefined) => Truth;

/** An IPv4 caller of an IPv6 listener is known by its IPv4 address, as Envoy has it. */
function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
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
  return (given) => {
    if (given === undefined) return false;
    const address = unmapped(given);
    const own = isIP(address);
    if (own === 0) return 'unknown';
    return own === family && list.check(address, name);
  };
}

/** Whether an address is in one of these blocks. */
export function inBlocks(blocks: readonly string[]): AddressTest {
  const tests = blocks.map(inBlock);
  return (address) => either(tests, (test) => test(address));
}
