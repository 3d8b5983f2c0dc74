import { isIP } from 'node:net';

// Addresses as numbers, so that the ends of blocks can be found.

function fourOf(address: string): bigint {
  return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function sixOf(address: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const low = dotted?.[2] === undefined ? undefined : fourOf(dotted[2]);
  const plain = low === undefined ? address : `${dotted?.[1] ?? ''}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [head = '', tail] = plain.split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array.from({ length: missing }, () => '0'), ...after];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function fourText(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
}

function sixText(value: bigint): string {
  return Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16)).join(':');
}

/**
 * An address in each stretch of addresses that no block begins or ends in: of the blocks' combinations none is left out.
 * Some that people know come first.
 */
export function representativeAddresses(blocks: readonly string[]): readonly string[] {
  const found = ['10.0.0.1', '192.0.2.1', '2001:db8::1'];
  const add = (family: 4 | 6, value: bigint): void => {
    const bits = family === 4 ? 32n : 128n;
    if (value >= 0n && value < 1n << bits) found.push(family === 4 ? fourText(value) : sixText(value));
  };
  for (const block of blocks) {
    const [base = '', written] = block.split('/', 2);
    const family = isIP(base);
    if ((family !== 4 && family !== 6) || base.includes('%')) continue;
    const width = family === 4 ? 32 : 128;
    const length = written === undefined ? width : Number(written);
    if (!Number.isInteger(length) || length < 0 || length > width) continue;
    const size = 1n << BigInt(width - length);
    const first = ((family === 4 ? fourOf(base) : sixOf(base)) / size) * size;
    // The second one of a block is likelier an address of somebody than the first.
    if (size > 2n) add(family, first + 1n);
    for (const value of [first, first + size, first - 1n]) add(family, value);
  }
  return [...new Set(found)];
}
