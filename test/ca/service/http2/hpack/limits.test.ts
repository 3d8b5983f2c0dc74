import { strict as assert } from 'node:assert';
import { headerDecoder } from '../../../../../ca/service/http2/hpack/decoder.ts';

const TOO_LARGE = { ok: false, reason: 'too large' };
const [FIRST_DYNAMIC, NEXT_DYNAMIC] = [0xbe, 0xbf];
const field = (first: number, name: string, value: string) =>
  Buffer.concat([Buffer.of(first, name.length), Buffer.from(name), integer(value.length), Buffer.from(value)]);
/** A length of a string without Huffman coding. */
const integer = (length: number) =>
  length < 127 ? Buffer.of(length) : Buffer.of(127, ((length - 127) & 0x7f) | 0x80, (length - 127) >> 7);
const entered = (name: string, value: string) => field(0x40, name, value);

describe('ca/service/http2/hpack: limits', () => {
  it('hold for the sum of names, values and 32 for each field', () => {
    // ":method: GET" is 7 + 3 + 32.
    const decoder = headerDecoder({ listBytes: 84 });
    assert.equal(decoder.decode(Buffer.of(0x82, 0x82)).ok, true);
    assert.deepEqual(decoder.decode(Buffer.of(0x82, 0x82, 0x82)), TOO_LARGE);
    assert.deepEqual(decoder.decode(Buffer.of(0x83, 0x82)), TOO_LARGE, ':method: POST is one more');
    assert.equal(decoder.decode(Buffer.of(0x82, 0x82)).ok, true);
  });

  it('hold for the number of fields', () => {
    const decoder = headerDecoder({ fields: 3, listBytes: 1 << 20 });
    assert.equal(decoder.decode(Buffer.alloc(3, 0x82)).ok, true);
    assert.deepEqual(decoder.decode(Buffer.alloc(4, 0x82)), TOO_LARGE);
    assert.equal(headerDecoder().decode(Buffer.alloc(128, 0x82)).ok, true);
    assert.deepEqual(headerDecoder().decode(Buffer.alloc(129, 0x82)), TOO_LARGE);
  });

  it('leave the table in step: what was entered past them is known to the next block', () => {
    const decoder = headerDecoder({ fields: 2 });
    const block = Buffer.concat([entered('a', '1'), Buffer.of(0x82, 0x82, 0x82), entered('b', '2'), field(0x00, 'c', '3')]);
    assert.deepEqual(decoder.decode(block), TOO_LARGE);
    assert.deepEqual(decoder.decode(Buffer.of(FIRST_DYNAMIC, NEXT_DYNAMIC)), {
      ok: true,
      fields: [
        { name: 'b', value: '2' },
        { name: 'a', value: '1' },
      ],
    });
  });

  it('do not hide what is malformed behind them', () => {
    assert.deepEqual(headerDecoder({ fields: 1 }).decode(Buffer.of(0x82, 0x82, 0x80)), { ok: false, reason: 'malformed' });
  });

  it('hold when each octet stands for 4,000, each alone', () => {
    for (const limits of [{ fields: Infinity }, { listBytes: Infinity }]) {
      const decoder = headerDecoder(limits);
      assert.equal(decoder.decode(entered('a', 'x'.repeat(4000))).ok, true);
      assert.deepEqual(decoder.decode(Buffer.alloc(1 << 20, FIRST_DYNAMIC)), TOO_LARGE);
      assert.equal(decoder.decode(Buffer.of(FIRST_DYNAMIC)).ok, true);
    }
  });

  it('of the table: an entry larger than it empties it, which is no error', () => {
    const decoder = headerDecoder({ tableBytes: 100 });
    assert.equal(decoder.decode(entered('a', 'x'.repeat(67))).ok, true, '100 octets');
    assert.equal(decoder.decode(Buffer.of(FIRST_DYNAMIC)).ok, true);
    assert.equal(decoder.decode(entered('a', 'x'.repeat(68))).ok, true, '101 octets');
    assert.deepEqual(decoder.decode(Buffer.of(FIRST_DYNAMIC)), { ok: false, reason: 'malformed' });
  });

  it('of the table: a new entry may take its name from one that leaves for it', () => {
    const decoder = headerDecoder({ tableBytes: 64 });
    decoder.decode(entered('name', '1'));
    const block = Buffer.concat([Buffer.of(0x40 | 62, 25), Buffer.alloc(25, 0x78), Buffer.of(FIRST_DYNAMIC)]);
    const now = { name: 'name', value: 'x'.repeat(25) };
    assert.deepEqual(decoder.decode(block), { ok: true, fields: [now, now] });
    assert.equal(decoder.decode(Buffer.of(NEXT_DYNAMIC)).ok, false);
  });

  it('of the table: a peer starts with no more than 4,096, whatever more it is offered', () => {
    const full = (decoder: ReturnType<typeof headerDecoder>) => {
      decoder.decode(entered('a', 'x'.repeat(4000)));
      decoder.decode(entered('b', 'x'.repeat(4000)));
      return decoder.decode(Buffer.of(NEXT_DYNAMIC)).ok;
    };
    assert.equal(full(headerDecoder({ tableBytes: 16_384 })), false);
    const told = headerDecoder({ tableBytes: 16_384 });
    assert.equal(told.decode(Buffer.of(0x3f, 0xe1, 0x7f)).ok, true, '16,384');
    assert.equal(full(told), true);
  });

  it('a field that is repeated is the same object', () => {
    const decoder = headerDecoder();
    const [first, again] = [decoder.decode(entered('a', 'b')), decoder.decode(Buffer.of(FIRST_DYNAMIC))];
    assert.ok(first.ok && again.ok);
    assert.equal(again.fields[0], first.fields[0]);
  });
});
