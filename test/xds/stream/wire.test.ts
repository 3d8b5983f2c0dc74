import assert from 'node:assert/strict';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import * as fc from 'fast-check';
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { CLUSTER } from '../../../xds/resource-set.ts';
import { fake } from '../resources.ts';
import { SharedBodies } from '../../../xds/stream/shared-bodies.ts';
import { type Encoded, encodeResponse } from '../../../xds/stream/wire.ts';

const whole = ({ chunks, byteLength }: Encoded): Buffer => {
  const bytes = Buffer.concat(chunks);
  assert.equal(bytes.byteLength, byteLength);
  return bytes;
};

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 });
const resources = fc.array(
  fc.record({
    name: text,
    version: text,
    value: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    repeat: fc.constantFrom(1, 100, 10_000),
  }),
  { maxLength: 5 },
);

describe('lists of resources that many streams are sent', () => {
  const list = (...names: readonly string[]) => names.map((name) => fake(name, name.repeat(3000)));
  const all = list('a', 'b', 'c');
  const response = { type: CLUSTER, nonce: '1', version: '1', resources: all, removed: [] } as const;

  it('are the same memory for each, whatever its nonce', () => {
    const one = encodeResponse('delta', response);
    const other = encodeResponse('delta', { ...response, nonce: '2', resources: [...all] });
    assert.equal(one.chunks[1], other.chunks[1]);
    assert.notEqual(encodeResponse('sotw', response).chunks[1], one.chunks[1]);
  });

  it('are told apart by what is in them', () => {
    const one = encodeResponse('delta', response);
    for (const resources of [all.slice(0, 2), [...all].reverse(), list('a', 'b', 'c')])
      assert.notEqual(encodeResponse('delta', { ...response, resources }).chunks[1], one.chunks[1]);
  });

  it('are forgotten, the one used longest ago first, when they are too many', () => {
    const bodies = new SharedBodies(10_000);
    const encoded = { chunks: [], byteLength: 4000, copied: 4000 };
    const [a, b, c] = [list('a'), list('b'), list('c')];
    let made = 0;
    const of = (resources: typeof a) => bodies.of(resources, () => ((made += 1), encoded));
    for (const resources of [a, b, a, c]) of(resources);
    assert.equal(made, 3);
    assert.equal(bodies.bytes, 8000);
    of(a);
    assert.equal(made, 3);
    of(b);
    assert.equal(made, 4);
  });
});

describe('responses on the wire (seed 7)', () => {
  it('are what protobuf reads and writes', () => {
    fc.assert(
      fc.property(resources, text, text, fc.array(text, { maxLength: 4 }), (list, version, nonce, removed) => {
        const anys = list.map(({ value, repeat }) =>
          create(AnySchema, { typeUrl: CLUSTER, value: Buffer.concat(Array.from({ length: repeat }, () => value)) }),
        );
        const encoded = list.map(({ name, version }, index) => ({
          name,
          version,
          any: toBinary(AnySchema, anys[index] ?? create(AnySchema)),
        }));
        const response = { type: CLUSTER, nonce, version, resources: encoded, removed } as const;
        const delta = fromBinary(DeltaDiscoveryResponseSchema, whole(encodeResponse('delta', response)));
        const expected = create(DeltaDiscoveryResponseSchema, {
          systemVersionInfo: version,
          typeUrl: CLUSTER,
          nonce,
          removedResources: removed,
          resources: list.map(({ name, version }, index) => ({ name, version, resource: anys[index] ?? create(AnySchema) })),
        });
        assert.deepEqual(toBinary(DeltaDiscoveryResponseSchema, delta), toBinary(DeltaDiscoveryResponseSchema, expected));
        const sotw = fromBinary(DiscoveryResponseSchema, whole(encodeResponse('sotw', { ...response, removed: [] })));
        const all = create(DiscoveryResponseSchema, { versionInfo: version, typeUrl: CLUSTER, nonce, resources: anys });
        assert.deepEqual(toBinary(DiscoveryResponseSchema, sotw), toBinary(DiscoveryResponseSchema, all));
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
