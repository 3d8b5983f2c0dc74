import { strict as assert } from 'node:assert';
import * as fc from 'fast-check';
import type { OutgoingHttpHeaders } from 'node:http2';
import { headerDecoder } from '../../../../../ca/service/http2/hpack/decoder.ts';
import { STATIC_TABLE } from '../../../../../ca/service/http2/hpack/static-table.ts';
import { generatedRequests, generatedTableBytes } from './arbitrary.ts';
import { encodedByNode } from './node-encoder.ts';

const SEED = 20261122;
const AMPLE = { listBytes: 1 << 20, fields: 1000 };

const fieldsOf = (headers: OutgoingHttpHeaders) =>
  Object.entries(headers).flatMap(([name, values]) => [values ?? []].flat().map((value) => ({ name, value: String(value) })));

describe('ca/service/http2/hpack: what node:http2 sends', () => {
  it(`is read as it was asked for, request after request (seed ${SEED})`, async () => {
    let indexed = 0;
    await fc.assert(
      fc.asyncProperty(generatedRequests, generatedTableBytes, async (requests, tableBytes) => {
        const decoder = headerDecoder({ tableBytes, ...AMPLE });
        const blocks = await encodedByNode(requests, tableBytes);
        assert.equal(blocks.length, requests.length);
        for (const [index, block] of blocks.entries()) {
          assert.deepEqual(decoder.decode(block), { ok: true, fields: fieldsOf(requests[index] ?? {}) });
          indexed += block.filter((octet) => octet >= 0xbe).length;
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
    assert.ok(indexed > 1000, 'the dynamic table was used');
  });

  it('has the same static table', async () => {
    // Those that HTTP/2 has for requests: neither pseudo-fields nor what belongs to a connection.
    const names = STATIC_TABLE.map(({ name }) => name).filter((name) => /^[a-z]/.test(name) && name !== 'transfer-encoding');
    assert.equal(names.length, 46);
    const requests = names.map((name) => ({ [name]: 'x', ':path': '/' }));
    const [blocks, without] = [await encodedByNode(requests, 0), await encodedByNode([{ ':path': '/' }], 0)];
    const decoder = headerDecoder({ tableBytes: 0 });
    for (const [index, block] of blocks.entries()) {
      const decoded = decoder.decode(block);
      assert.ok(decoded.ok);
      const name = names[index] ?? '';
      assert.deepEqual(decoded.fields.at(-1), { name, value: 'x' });
      // Two octets for the name's index and two for the value. The first block of a connection also has a change of size.
      const size = index === 0 ? 0 : 1;
      assert.ok(block.length <= (without[0]?.length ?? 0) - size + 4, `${name} is not in the table of nghttp2`);
    }
  });

  it('is read with every octet that a value may have', async () => {
    const octets = Array.from({ length: 0xff - 0x20 }, (_, index) => 0x21 + index).filter((octet) => octet !== 0x7f);
    // So many short codes that the value is sent with Huffman coding.
    const requests = octets.map((octet) => ({ ':path': '/', 'x-octet': `${'e'.repeat(40)}${String.fromCharCode(octet)}a` }));
    const blocks = await encodedByNode(requests, 0);
    const decoder = headerDecoder({ tableBytes: 0 });
    for (const [index, block] of blocks.entries()) {
      assert.ok(!block.includes('eeee'), 'Huffman coding');
      const decoded = decoder.decode(block);
      assert.ok(decoded.ok);
      assert.equal(decoded.fields.find(({ name }) => name === 'x-octet')?.value, requests[index]?.['x-octet']);
    }
    assert.equal(blocks.length, octets.length);
  });
});
