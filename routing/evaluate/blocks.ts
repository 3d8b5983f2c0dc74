import { BlockList, isIP } from 'node:net';

/** How narrow the narrowest of some CIDR blocks (or addresses) is that holds one of the addresses; undefined: none does. */
export function narrowest(blocks: readonly string[], addresses: readonly string[]): number | undefined {
  const lengths = blocks.flatMap((block) => {
    const [network = '', written] = block.split('/');
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    const length = written === undefined ? (family === 'ipv6' ? 128 : 32) : Number(written);
    const list = new BlockList();
    list.addSubnet(network, length, family);
    const holds = addresses.some((address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'));
    return holds ? [length] : [];
  });
  return lengths.length === 0 ? undefined : Math.max(...lengths);
}
