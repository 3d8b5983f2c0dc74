import assert from 'node:assert/strict';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { BuildVersionSchema, type Node } from '#gen/envoy/config/core/v3/base_pb.js';
import { DeltaDiscoveryRequestSchema, DiscoveryRequestSchema } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { type EnvoyVersion, readRequest, type WireRequest } from '../../../xds/stream/request-wire.ts';

const SEED = 20_261_124;
const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const texts = fc.array(text, { maxLength: 5 });
const error = fc.option(fc.record({ code: fc.integer(), message: text }), { nil: undefined });
const node = fc.option(fc.record({ id: text, cluster: text, userAgentName: text }), { nil: undefined });
const NOTHING = {
  envoy: undefined,
  names: [],
  unsubscribe: [],
  initialVersions: new Map(),
  version: '',
  nonce: '',
  error: undefined,
};

function envoyOf(node: Node | undefined): EnvoyVersion | undefined {
  if (node?.userAgentVersionType.case !== 'userAgentBuildVersion') return undefined;
  const { version } = node.userAgentVersionType.value;
  return { major: version?.majorNumber ?? 0, minor: version?.minorNumber ?? 0 };
}

/** The same, read by protobuf-es; undefined where it refuses. */
function byLibrary(variant: 'sotw' | 'delta', bytes: Uint8Array): WireRequest | undefined {
  try {
    if (variant === 'sotw') {
      const { versionInfo, node, resourceNames, typeUrl, responseNonce, errorDetail } = fromBinary(DiscoveryRequestSchema, bytes);
      const told = errorDetail && { code: errorDetail.code, message: errorDetail.message };
      return {
        ...NOTHING,
        nodeId: node?.id ?? '',
        envoy: envoyOf(node),
        typeUrl,
        names: resourceNames,
        version: versionInfo,
        nonce: responseNonce,
        error: told,
      };
    }
    const message = fromBinary(DeltaDiscoveryRequestSchema, bytes);
    const { errorDetail } = message;
    return {
      ...NOTHING,
      nodeId: message.node?.id ?? '',
      envoy: envoyOf(message.node),
      typeUrl: message.typeUrl,
      names: message.resourceNamesSubscribe,
      unsubscribe: message.resourceNamesUnsubscribe,
      initialVersions: new Map(Object.entries(message.initialResourceVersions)),
      nonce: message.responseNonce,
      error: errorDetail && { code: errorDetail.code, message: errorDetail.message },
    };
  } catch {
    return undefined;
  }
}

function byHand(variant: 'sotw' | 'delta', bytes: Uint8Array): WireRequest | undefined {
  try {
    return readRequest(variant, bytes);
  } catch {
    return undefined;
  }
}

function sorted(request: WireRequest | undefined) {
  if (request === undefined) return undefined;
  const versions = new Map<string, string>();
  request.initialVersions.forEach((version, name) => versions.set(name, version));
  return { ...request, initialVersions: [...versions].sort() };
}

describe(`requests read by hand (seed ${SEED})`, () => {
  const sotw = fc
    .record({ versionInfo: text, node, resourceNames: texts, typeUrl: text, responseNonce: text, errorDetail: error })
    .map(({ node, errorDetail, ...rest }): MessageInitShape<typeof DiscoveryRequestSchema> => ({
      ...rest,
      ...(node && { node }),
      ...(errorDetail && { errorDetail }),
    }))
    .map((init) => ({ variant: 'sotw' as const, bytes: toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, init)) }));
  const delta = fc
    .record({
      node,
      typeUrl: text,
      resourceNamesSubscribe: texts,
      resourceNamesUnsubscribe: texts,
      initialResourceVersions: fc.dictionary(text, text),
      responseNonce: text,
      errorDetail: error,
    })
    .map(({ node, errorDetail, ...rest }): MessageInitShape<typeof DeltaDiscoveryRequestSchema> => ({
      ...rest,
      ...(node && { node }),
      ...(errorDetail && { errorDetail }),
    }))
    .map((init) => ({
      variant: 'delta' as const,
      bytes: toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, init)),
    }));

  it('are what protobuf-es reads', () => {
    fc.assert(
      fc.property(fc.oneof(sotw, delta), ({ variant, bytes }) => {
        const read = byHand(variant, bytes);
        assert.ok(read !== undefined);
        assert.deepEqual(sorted(read), sorted(byLibrary(variant, bytes)));
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  it('say which Envoy it is', () => {
    const version = fc.record({ majorNumber: fc.nat(), minorNumber: fc.nat(), patch: fc.nat() });
    const userAgentVersionType = fc.oneof(
      fc.constant({ case: undefined }),
      fc.record({ case: fc.constant('userAgentVersion' as const), value: text }),
      fc.option(version, { nil: undefined }).map((one) => ({
        case: 'userAgentBuildVersion' as const,
        value: create(BuildVersionSchema, one === undefined ? {} : { version: one }),
      })),
    );
    fc.assert(
      fc.property(fc.record({ id: text, userAgentVersionType }), fc.constantFrom('sotw', 'delta'), (who, variant) => {
        const bytes =
          variant === 'sotw'
            ? toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { node: who }))
            : toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, { node: who }));
        assert.deepEqual(sorted(byHand(variant, bytes)), sorted(byLibrary(variant, bytes)));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('where they are damaged, are refused or read the same', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.oneof(sotw, delta), damage, fc.nat(), ({ variant, bytes }, changes, cut) => {
        if (bytes.length === 0) return;
        const bad = Uint8Array.from(bytes).subarray(0, cut % 2 === 0 ? bytes.length : cut % bytes.length);
        for (const [at, value] of changes) if (bad.length > 0) bad[at % bad.length] = value;
        const read = byHand(variant, bad);
        const expected = byLibrary(variant, bad);
        // The library looks into the node, and knows what the rest of it must be; nothing else of it is of interest here.
        if (read !== undefined && expected !== undefined) assert.deepEqual(sorted(read), sorted(expected));
      }),
      { seed: SEED, numRuns: 5000 },
    );
  });

  it('are refused where they are cut off, endless or of another type', () => {
    for (const bytes of [
      [0x0a],
      [0x0a, 0x05, 0x61],
      [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      [0x00],
      [0x0b],
      [0x18, 0x01],
      [0x12, 0x02, 0xff, 0xfe],
    ])
      assert.equal(byHand('delta', Uint8Array.from(bytes)), undefined, bytes.join(' '));
  });
});
