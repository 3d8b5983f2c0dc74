import { strict as assert } from 'node:assert';
import { CODE_LENGTHS } from '../../../../../ca/service/http2/hpack/huffman-code.ts';
import { decodeHuffman } from '../../../../../ca/service/http2/hpack/huffman.ts';

/** Octets that no HTTP value may have, so that no client writes them: octet, code, bits (RFC 7541, Appendix B). */
const CONTROLS: readonly (readonly [octet: number, code: number, bits: number])[] = [
  [0, 0x1ff8, 13],
  [1, 0x7fffd8, 23],
  [2, 0xfffffe2, 28],
  [8, 0xfffffe8, 28],
  [9, 0xffffea, 24],
  [10, 0x3ffffffc, 30],
  [11, 0xfffffe9, 28],
  [12, 0xfffffea, 28],
  [13, 0x3ffffffd, 30],
  [14, 0xfffffeb, 28],
  [21, 0xffffff2, 28],
  [22, 0x3ffffffe, 30],
  [23, 0xffffff3, 28],
  [31, 0xffffffb, 28],
  [127, 0xffffffc, 28],
  [255, 0x3ffffee, 26],
];

/** Codes one after another, and ones up to the next octet. */
function coded(...codes: readonly (readonly [number, number])[]): Buffer {
  const text = codes.map(([code, bits]) => code.toString(2).padStart(bits, '0')).join('');
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8, '1');
  return Buffer.from((padded.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)));
}

const decoded = (bytes: Buffer) => decodeHuffman(bytes, 0, bytes.length);
const A: readonly [number, number] = [0x3, 5];

describe('ca/service/http2/hpack: Huffman codes', () => {
  it('are a full code: no octets are left without a meaning', () => {
    assert.equal(CODE_LENGTHS.length, 257);
    assert.equal(
      CODE_LENGTHS.reduce((sum, bits) => sum + 2 ** -bits, 0),
      1,
    );
  });

  it('of octets that clients do not write', () => {
    for (const [octet, code, bits] of CONTROLS) {
      const character = String.fromCharCode(octet);
      assert.equal(decoded(coded([code, bits])), character, `${octet}`);
      // At every place in an octet, with the same on either side.
      for (let before = 0; before < 8; before++) {
        const codes = [...Array.from({ length: before }, () => A), [code, bits] as const, A];
        assert.equal(decoded(coded(...codes)), 'a'.repeat(before) + character + 'a', `${octet} after ${before}`);
      }
    }
  });

  it('of a string longer than most, and only of the octets asked for', () => {
    const long = Array.from({ length: 20_000 }, () => A);
    assert.equal(decoded(coded(...long)), 'a'.repeat(20_000));
    const bytes = Buffer.concat([Buffer.of(0xff), coded(A, A), Buffer.of(0x00)]);
    assert.equal(decodeHuffman(bytes, 1, bytes.length - 1), 'aa');
    assert.equal(decodeHuffman(bytes, 1, 1), '');
  });
});
