import assert from 'node:assert/strict';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import * as fc from 'fast-check';
import { DeltaDiscoveryResponseSchema, DiscoveryResponseSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { CLUSTER } from '../../../xds/resource-set.ts';
import { encodeResponse } from '../../../xds/stream/wire.ts';

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 });
const resources = fc.array(
  fc.record({
    name: text,
    version: text,
    value: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    repeat: fc.constantFrom(1, 100),
  }),
  { maxLength: 5 },
);

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
        const delta = fromBinary(DeltaDiscoveryResponseSchema, encodeResponse('delta', response));
        const expected = create(DeltaDiscoveryResponseSchema, {
          systemVersionInfo: version,
          typeUrl: CLUSTER,
          nonce,
          removedResources: removed,
          resources: list.map(({ name, version }, index) => ({ name, version, resource: anys[index] ?? create(AnySchema) })),
        });
        assert.deepEqual(toBinary(DeltaDiscoveryResponseSchema, delta), toBinary(DeltaDiscoveryResponseSchema, expected));
        const sotw = fromBinary(DiscoveryResponseSchema, encodeResponse('sotw', { ...response, removed: [] }));
        const whole = create(DiscoveryResponseSchema, { versionInfo: version, typeUrl: CLUSTER, nonce, resources: anys });
        assert.deepEqual(toBinary(DiscoveryResponseSchema, sotw), toBinary(DiscoveryResponseSchema, whole));
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
