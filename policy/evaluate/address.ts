import { BlockList, isIP } from 'node:net';
import type { Truth } from './truth.ts';

/** Whether an address is in a block (`10.0.0.0/8`, or one address). An unreadable block or address cannot be decided. */
export function inBlock(block: string, address: string | undefined): Truth {
  if (address === undefined) return false;
  const [base = '', bits] = block.split('/', 2);
  const family = isIP(base);
  const own = isIP(address);
  if (family === 0 || own === 0 || base.includes('%')) return 'unknown';
  const longest = family === 4 ? 32 : 128;
  const length = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
  if (!(length <= longest)) return 'unknown';
  if (family !== own) return false;
  const name = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(base, length, name);
  return list.check(address, name);
}
