import { strict as assert } from 'node:assert';
import * as fc from 'fast-check';
import { type DecodedBlock, headerDecoder } from '../../../../../ca/service/http2/hpack/decoder.ts';
import { generatedRequests } from './arbitrary.ts';
import { encodedByNode } from './node-encoder.ts';

const SEED = 20261122;
const CONNECTIONS = 40;
const MUTATED = 5000;
const SMALL = { listBytes: 600, fields: 8 };

const listBytesOf = (decoded: DecodedBlock) =>
  decoded.ok ? decoded.fields.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0) : 0;

/** Octets that begin fields, sizes and strings, more often than chance would have them. */
const octet = fc.oneof(
  fc.nat({ max: 255 }),
  fc.constantFrom(0x00, 0x0f, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0x82, 0xbe, 0xbf, 0xff),
);
const mutation = fc.record({ at: fc.nat(), remove: fc.nat({ max: 3 }), insert: fc.array(octet, { maxLength: 4 }) });

function mutated(block: Buffer, { at, remove, insert }: { at: number; remove: number; insert: readonly number[] }): Buffer {
  const where = at % (block.length + 1);
  return Buffer.concat([block.subarray(0, where), Buffer.from(insert), block.subarray(where + remove)]);
}

/** What has to hold of any blocks that come one after another; says how each was answered. */
function check(blocks: readonly Buffer[]): string[] {
  const [small, ample] = [headerDecoder(SMALL), headerDecoder({ listBytes: Infinity, fields: Infinity })];
  let broken = false;
  return blocks.map((block) => {
    const [narrow, wide] = [small.decode(block), ample.decode(block)];
    // Whatever was refused, both are in step: what one reads is what the other reads.
    const fits = wide.ok && wide.fields.length <= SMALL.fields && listBytesOf(wide) <= SMALL.listBytes;
    assert.deepEqual(narrow, wide.ok && !fits ? { ok: false, reason: 'too large' } : wide);
    if (broken) assert.deepEqual(wide, { ok: false, reason: 'malformed' });
    broken = !wide.ok;
    // A field takes an octet at least.
    if (wide.ok) assert.ok(wide.fields.length <= block.length);
    return narrow.ok ? 'ok' : narrow.reason;
  });
}

const counted = (answers: Map<string, number>, some: readonly string[]) => {
  for (const answer of some) answers.set(answer, (answers.get(answer) ?? 0) + 1);
};

describe('ca/service/http2/hpack: blocks that no client sends', () => {
  it(`are answered within the limits, never with an exception, when they are almost right (seed ${SEED})`, async () => {
    const connections: Buffer[][] = [];
    for (const requests of fc.sample(generatedRequests, { numRuns: CONNECTIONS, seed: SEED }))
      connections.push(await encodedByNode(requests, 4096));
    const answers = new Map<string, number>();
    fc.assert(
      fc.property(
        fc.constantFrom(...connections),
        fc.nat(),
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        (blocks, which, mutations) => {
          const index = which % blocks.length;
          counted(answers, check(blocks.map((block, place) => (place === index ? mutations.reduce(mutated, block) : block))));
        },
      ),
      { seed: SEED, numRuns: MUTATED },
    );
    for (const answer of ['ok', 'malformed', 'too large']) assert.ok((answers.get(answer) ?? 0) > MUTATED / 10, answer);
  });

  it(`are answered so when they are made up of any octets (seed ${SEED})`, () => {
    const index = fc.nat({ max: 80 }).map((place) => [0x80 | place]);
    const string = fc
      .array(octet, { maxLength: 12 })
      .chain((octets) => fc.constantFrom([octets.length, ...octets], [0x82, 0x64, 0x02]));
    const literal = fc
      .tuple(fc.constantFrom(0x00, 0x10, 0x40), fc.oneof(string, fc.constant(undefined)), fc.integer({ min: 1, max: 14 }), string)
      .map(([kind, name, named, text]) => (name === undefined ? [kind | named, ...text] : [kind, ...name, ...text]));
    const size = fc.nat({ max: 30 }).map((bytes) => [0x20 | bytes]);
    const fields = fc.array(
      fc.oneof({ weight: 4, arbitrary: literal }, { weight: 3, arbitrary: index }, fc.array(octet, { maxLength: 2 })),
      {
        maxLength: 14,
      },
    );
    const block = fc.tuple(fc.array(size, { maxLength: 1 }), fields).map((parts) => Buffer.from(parts.flat(2)));
    const answers = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(block, { maxLength: 6 }), (blocks) => counted(answers, check(blocks))),
      { seed: SEED, numRuns: MUTATED },
    );
    for (const answer of ['ok', 'malformed', 'too large']) assert.ok((answers.get(answer) ?? 0) > 50, answer);
  });
});
