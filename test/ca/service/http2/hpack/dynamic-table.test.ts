import { strict as assert } from 'node:assert';
import * as fc from 'fast-check';
import { dynamicTable } from '../../../../../ca/service/http2/hpack/dynamic-table.ts';
import { type HeaderField, sizeOf } from '../../../../../ca/service/http2/hpack/header-field.ts';

const SEED = 20261122;
const CAPACITY = 2000;

/** RFC 7541, section 4, said with a plain array. */
function keptWithin(fields: readonly HeaderField[], capacity: number): HeaderField[] {
  let size = 0;
  const first = fields.findIndex((field) => (size += sizeOf(field)) > capacity);
  return first < 0 ? [...fields] : fields.slice(0, first);
}

describe('ca/service/http2/hpack: the dynamic table', () => {
  it(`holds the newest that fit, after any entries and changes of its size (seed ${SEED})`, () => {
    const length = fc.oneof({ weight: 20, arbitrary: fc.nat({ max: 3 }) }, fc.nat({ max: 200 }), fc.nat({ max: 2500 }));
    const entry = fc.tuple(fc.constant('add' as const), length);
    const resize = fc.tuple(fc.constant('resize' as const), fc.nat({ max: CAPACITY }));
    let most = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 50, arbitrary: entry }, resize), { maxLength: 200, size: 'max' }), (steps) => {
        const table = dynamicTable(CAPACITY);
        let [capacity, expected]: [number, HeaderField[]] = [CAPACITY, []];
        for (const [kind, number] of steps) {
          const field = { name: '', value: 'x'.repeat(number) };
          if (kind === 'add') table.add(field);
          else table.resize((capacity = number));
          expected = keptWithin(kind === 'add' ? [field, ...expected] : expected, capacity);
          for (let index = 0; index <= expected.length; index++) assert.equal(table.at(index), expected[index]);
          most = Math.max(most, expected.length);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
    assert.ok(most > 32, 'it had to grow, twice');
  });
});
