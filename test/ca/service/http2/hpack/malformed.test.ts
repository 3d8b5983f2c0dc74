import { strict as assert } from 'node:assert';
import { headerDecoder } from '../../../../../ca/service/http2/hpack/decoder.ts';

const MALFORMED = { ok: false, reason: 'malformed' };
const decode = (...octets: number[]) => headerDecoder().decode(Buffer.from(octets));
/** A literal that enters no table, with a value of these Huffman octets. */
const huffman = (...octets: number[]) => decode(0x00, 1, 0x61, 0x80 | octets.length, ...octets);
const valueOf = (decoded: ReturnType<typeof decode>) => (decoded.ok ? decoded.fields[0]?.value : undefined);

describe('ca/service/http2/hpack: malformed blocks', () => {
  it('are those that name no field', () => {
    assert.equal(decode(0x80 | 61).ok, true);
    assert.deepEqual(decode(0x80), MALFORMED, 'index 0');
    assert.deepEqual(decode(0x80 | 62), MALFORMED, 'an empty dynamic table');
    assert.deepEqual(decode(0x40, 1, 0x61, 1, 0x62, 0x80 | 63), MALFORMED, 'one field in it');
    assert.deepEqual(decode(0x40 | 62, 1, 0x62), MALFORMED, 'a name');
    assert.deepEqual(decode(0x0f, 62 - 15, 1, 0x62), MALFORMED, 'a name, not entered');
    assert.deepEqual(decode(0xff, 0xff, 0xff, 0xff, 0x7f), MALFORMED, 'the largest integer');
  });

  it('are those with integers too long', () => {
    const block = (...length: number[]) => decode(0x00, 1, 0x61, ...length, ...Buffer.alloc(127, 0x62));
    assert.equal(block(0x7f, 0x00).ok, true, '127, as it has to be');
    assert.deepEqual(block(0x7f, 0x80, 0x00), MALFORMED, 'zeros in front');
    assert.deepEqual(block(0x7f, 0x81, 0x80, 0x80, 0x80, 0x00), MALFORMED, 'five octets');
    assert.deepEqual(block(0x7f, 0x80, 0x80, 0x80, 0x80, 0x10), MALFORMED, '127 and 2 to the power of 32');
    assert.deepEqual(block(0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f), MALFORMED, '32 bits');
    assert.deepEqual(block(0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), MALFORMED, '64 bits');
    assert.deepEqual(block(0x7f, ...Buffer.alloc(100, 0x80)), MALFORMED, 'without end');
  });

  it('are those that end early', () => {
    const whole = [0x40, 1, 0x61, 0x82, 0x64, 0x02];
    assert.equal(valueOf(decode(...whole)), '302');
    for (let length = 1; length < whole.length; length++)
      assert.deepEqual(decode(...whole.slice(0, length)), MALFORMED, `${length}`);
    for (const first of [0xff, 0x7f, 0x3f, 0x1f, 0x0f]) {
      assert.deepEqual(decode(first), MALFORMED, `prefix ${first}`);
      assert.deepEqual(decode(first, 0x80), MALFORMED, `prefix ${first} and more`);
    }
    assert.deepEqual(decode(0x00, 1, 0x61, 0x7f, 0xff, 0xff, 0xff, 0x7f), MALFORMED, 'a string longer than any block');
  });

  it('are those with wrong padding, or the end of a string within it', () => {
    assert.equal(valueOf(huffman(0x1f)), 'a', 'three ones');
    assert.equal(valueOf(huffman(0xb9)), ':', 'a one');
    assert.deepEqual(huffman(0xb8), MALFORMED, 'a zero');
    assert.deepEqual(huffman(0x18), MALFORMED, 'three zeros');
    assert.deepEqual(huffman(0x1e), MALFORMED, 'two ones and a zero');
    assert.equal(valueOf(huffman(0xf8)), '&', 'none');
    assert.deepEqual(huffman(0xf8, 0xff), MALFORMED, 'eight ones');
    assert.deepEqual(huffman(0xff), MALFORMED, 'nothing else');
    assert.deepEqual(huffman(0x1f, 0xff), MALFORMED, 'eleven ones');
    assert.deepEqual(huffman(0xf8, 0x01), MALFORMED, 'a code cut short');
    assert.deepEqual(huffman(0xff, 0xff, 0xff, 0xff), MALFORMED, '30 ones and padding');
    for (let octet = 0; octet < 256; octet++)
      assert.deepEqual(huffman(0xff, 0xff, 0xff, 0xfc, octet, 0x1f), MALFORMED, `30 ones, then ${octet} and more`);
    assert.deepEqual(huffman(0x1f, 0xff, 0xff, 0xff, 0xe0, 0x00), MALFORMED, '30 ones between text');
  });

  it('are those that change the table size late, or beyond what was allowed', () => {
    assert.equal(decode(0x20, 0x3f, 0xe1, 0x1f, 0x82).ok, true, 'to 0, then 4,096');
    assert.deepEqual(decode(0x3f, 0xe2, 0x1f), MALFORMED, '4,097');
    assert.deepEqual(decode(0x82, 0x20), MALFORMED, 'after a field');
    assert.deepEqual(decode(0x82, 0x20, 1, 0x61, 1, 0x62), MALFORMED, 'after a field, with what a literal has after it');
    assert.deepEqual(headerDecoder({ tableBytes: 0 }).decode(Buffer.of(0x21)), MALFORMED);
    assert.equal(headerDecoder({ tableBytes: 5000 }).decode(Buffer.of(0x3f, 0xe9, 0x26)).ok, true, '5,000');
    assert.deepEqual(headerDecoder({ tableBytes: 5000 }).decode(Buffer.of(0x3f, 0xea, 0x26)), MALFORMED, '5,001');
  });

  it('leave nothing to go on with', () => {
    const decoder = headerDecoder();
    assert.equal(decoder.decode(Buffer.of(0x82)).ok, true);
    assert.deepEqual(decoder.decode(Buffer.of(0x80)), MALFORMED);
    assert.deepEqual(decoder.decode(Buffer.of(0x82)), MALFORMED);
  });
});
