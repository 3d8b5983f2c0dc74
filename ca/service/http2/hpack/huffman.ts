import { CODE_LENGTHS, END_OF_STRING } from './huffman-code.ts';

/** Up to seven bits of padding, all ones, may end a string (RFC 7541, section 5.2). */
const MOST_PADDING_BITS = 7;

/** A leaf is written as minus one minus its symbol. */
interface Node {
  zero: number;
  one: number;
}

/** The inner nodes of the code's tree. The root is the first; after it come those that one, two, ... seven ones lead to. */
function codeTree(): Node[] {
  const nodes = Array.from({ length: MOST_PADDING_BITS + 1 }, (_, ones): Node => ({
    zero: 0,
    one: ones < MOST_PADDING_BITS ? ones + 1 : 0,
  }));
  const symbols = CODE_LENGTHS.map((_, symbol) => symbol).sort((a, b) => lengthOf(a) - lengthOf(b) || a - b);
  let [code, length] = [0, 0];
  for (const symbol of symbols) {
    code *= 2 ** (lengthOf(symbol) - length);
    length = lengthOf(symbol);
    let node = nodes[0];
    for (let bit = length - 1; bit >= 0; bit--) {
      const side = (code >>> bit) & 1 ? 'one' : 'zero';
      if (node === undefined) throw new Error('not a prefix code');
      if (bit === 0) node[side] = -1 - symbol;
      else if (node[side] === 0) node[side] = nodes.push({ zero: 0, one: 0 }) - 1;
      node = nodes[node[side]];
    }
    code++;
  }
  return nodes;
}

const lengthOf = (symbol: number): number => CODE_LENGTHS[symbol] ?? 0;

/**
 * What an octet does to a decoder that stands at an inner node: at 256 times the node, plus the octet. An octet ends at most two codes,
 * as none is shorter than five bits. From the lowest bit: the first symbol (8 bits), the node after it (8), the second symbol (8), how
 * many symbols there are. Negative: END_OF_STRING was in it.
 */
function transitions(): Int32Array {
  const nodes = codeTree();
  const table = new Int32Array(nodes.length * 256);
  for (let index = 0; index < table.length; index++) {
    let at = index >>> 8;
    let symbols = 0;
    let count = 0;
    for (let bit = 7; bit >= 0; bit--) {
      const node = nodes[at];
      at = (index >>> bit) & 1 ? (node?.one ?? 0) : (node?.zero ?? 0);
      if (at >= 0) continue;
      const symbol = -1 - at;
      if (symbol === END_OF_STRING) {
        count = -1;
        break;
      }
      symbols |= symbol << (16 * count++);
      at = 0;
    }
    table[index] = count < 0 ? -1 : symbols | (at << 8) | (count << 24);
  }
  return table;
}

const TRANSITIONS = transitions();
/** A shorter code would have more symbols than eight for every five octets. */
const [MOST_SYMBOLS, PER_OCTETS] = [8, 5];

// Shared by all decoders: what is in it is copied into a string before anybody else has a turn.
const SCRATCH = Buffer.allocUnsafeSlow(8192);

/** The string that block[start, end) is the code of; undefined when it is the code of none. */
export function decodeHuffman(block: Buffer, start: number, end: number): string | undefined {
  // One more, as the second symbol is always written and only then found not to be one.
  const most = Math.ceil(((end - start) * MOST_SYMBOLS) / PER_OCTETS) + 1;
  const out = most <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(most);
  let [length, node] = [0, 0];
  for (let at = start; at < end; at++) {
    const step = TRANSITIONS[node | (block[at] ?? 0)] ?? -1;
    if (step < 0) return undefined;
    out[length] = step & 0xff;
    out[length + 1] = (step >>> 16) & 0xff;
    length += step >>> 24;
    node = step & 0xff00;
  }
  return node >>> 8 <= MOST_PADDING_BITS ? out.toString('latin1', 0, length) : undefined;
}
