// Messages of proxies are read by hand; protobuf-es says what they mean.
import assert from 'node:assert/strict';
import { create, fromBinary, type JsonObject, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { type Address, AddressSchema, SocketAddressSchema } from '#gen/envoy/config/core/v3/address_pb.js';
import {
  type AccessLogCommonSchema,
  AccessLogType,
  HTTPAccessLogEntrySchema,
  ResponseFlagsSchema,
  TCPAccessLogEntrySchema,
} from '#gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { StreamAccessLogsMessageSchema } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import { decodeHttp, decodeTcp, decodeTcpBeginning } from '../../audit/intake/decode.ts';
import { announcedInMessage, parseMessage, recordsOfMessage } from '../../audit/intake/message.ts';
import { readMessage } from '../../audit/intake/read-message.ts';
import type { AccessRecord, Side } from '../../audit/model/record.ts';
import { directory, NOW, reporter, WEB } from './world.ts';

const SEED = 20_261_122;
const text = fc.string({ unit: 'grapheme', maxLength: 30 });
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });
const amount = fc.oneof(fc.bigInt({ min: 0n, max: 5000n }), fc.bigInt({ min: 0n, max: (1n << 53n) - 1n }));
const nanos = fc.integer({ min: 0, max: 999_999_999 });
const span = fc.record({ seconds: fc.bigInt({ min: -3n, max: 5000n }), nanos });
const at = fc.record({
  seconds: fc.oneof(
    fc.bigInt({ min: -5n, max: 5n }).map((by) => BigInt(Math.floor(NOW.getTime() / 1000)) + by),
    fc.bigInt({ min: -(1n << 40n), max: 1n << 40n }),
  ),
  nanos,
});
const address: fc.Arbitrary<Address> = fc.oneof(
  fc.constant(create(AddressSchema, { address: { case: 'pipe', value: { path: '/run/sock' } } })),
  fc.constant(create(AddressSchema, { address: { case: 'envoyInternalAddress', value: {} } })),
  fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('10.0.0.1', '10.0.0.2')), maybe(fc.nat(65_535))).map(([ip, port]) =>
    create(AddressSchema, {
      address: {
        case: 'socketAddress',
        value: create(SocketAddressSchema, {
          address: ip,
          portSpecifier: port === undefined ? { case: 'namedPort', value: 'http' } : { case: 'portValue', value: port },
          resolverName: 'r',
        }),
      },
    }),
  ),
);
const certificate = fc.record({
  subjectAltName: fc.array(
    fc.oneof(
      fc.constantFrom(WEB, 'spiffe://cluster.local/ns/shop/sa/other').map((value) => ({ san: { case: 'uri' as const, value } })),
      text.map((value) => ({ san: { case: 'dns' as const, value } })),
    ),
    { maxLength: 2 },
  ),
  subject: text,
  issuer: text,
});
const tls = fc.record(
  {
    tlsSniHostname: text,
    peerCertificateProperties: maybe(certificate),
    localCertificateProperties: maybe(certificate),
    tlsSessionId: text,
  },
  { requiredKeys: [] },
);
const details = fc.oneof(
  text,
  fc.constantFrom(
    'via_upstream',
    'rbac_access_denied_matched_policy[none]',
    'rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[1]]',
    'ext_authz_denied',
    'route_not_found',
  ),
);
const json: fc.Arbitrary<JsonObject> = fc
  .dictionary(
    fc.oneof(
      text,
      fc.constantFrom('enforced_effective_policy_id', 'istio_dry_run_allow_shadow_engine_result', 'payload', 'iss', 'sub'),
    ),
    fc.oneof(
      fc.constantFrom('ns[shop]-policy[app]-rule[0]', 'denied', 'allowed'),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(text, { maxLength: 2 }),
      fc.record({ iss: text, sub: text }),
    ),
    { maxKeys: 4, noNullPrototype: true },
  )
  // protobuf-es does not tell such a key from others.
  .filter((object) => !Object.keys(object).includes('__proto__'));
const FLAGS = ResponseFlagsSchema.fields.map(({ localName }) => localName);
const flags = fc
  .subarray(FLAGS, { maxLength: 3 })
  .map((names) =>
    create(
      ResponseFlagsSchema,
      Object.fromEntries(names.map((name) => [name, name === 'unauthorizedDetails' ? { reason: 1 } : true])),
    ),
  );
const common: fc.Arbitrary<MessageInitShape<typeof AccessLogCommonSchema>> = fc.record(
  {
    sampleRate: fc.double({ noNaN: true }),
    downstreamRemoteAddress: address,
    downstreamLocalAddress: address,
    tlsProperties: tls,
    startTime: at,
    timeToLastRxByte: span,
    timeToFirstUpstreamTxByte: span,
    timeToLastDownstreamTxByte: span,
    upstreamRemoteAddress: address,
    upstreamLocalAddress: address,
    upstreamCluster: fc.oneof(text, fc.constant('outbound|80||app.shop.svc.cluster.local')),
    responseFlags: flags,
    metadata: fc
      .dictionary(
        fc.constantFrom('envoy.filters.http.rbac', 'envoy.filters.network.rbac', 'envoy.filters.http.jwt_authn', 'other'),
        json,
      )
      .map((filterMetadata) => ({ filterMetadata })),
    routeName: text,
    downstreamDirectRemoteAddress: address,
    customTags: fc.dictionary(
      fc.oneof(text, fc.constantFrom('peer-serial', 'announced')),
      fc.oneof(text, fc.constant('00ABCDEF')),
    ),
    duration: span,
    upstreamRequestAttemptCount: fc.nat(9),
    connectionTerminationDetails: details,
    streamId: text,
    intermediateLogEntry: fc.boolean(),
    downstreamTransportFailureReason: fc.oneof(fc.constant(''), text),
    downstreamWireBytesSent: amount,
    accessLogType: fc.constantFrom(
      AccessLogType.NotSet,
      AccessLogType.TcpConnectionEnd,
      AccessLogType.DownstreamEnd,
      AccessLogType.DownstreamPeriodic,
      AccessLogType.TcpUpstreamConnected,
    ),
  },
  { requiredKeys: [] },
);
const headers = fc.dictionary(
  fc.oneof(text, fc.constantFrom('content-type', 'grpc-status')),
  fc.oneof(text, fc.constantFrom('application/grpc', '0', '7', '17')),
);
const http = fc
  .record(
    {
      commonProperties: common,
      protocolVersion: fc.nat(4),
      request: fc.record(
        {
          requestMethod: fc.nat(9),
          scheme: text,
          authority: text,
          port: fc.nat(65_535),
          path: text.map((rest) => `/${rest}`),
          originalPath: text,
          requestHeadersBytes: amount,
          requestBodyBytes: amount,
          requestHeaders: headers,
          requestId: text,
        },
        { requiredKeys: [] },
      ),
      response: fc.record(
        {
          responseCode: fc.nat(600),
          responseHeadersBytes: amount,
          responseBodyBytes: amount,
          responseHeaders: headers,
          responseTrailers: headers,
          responseCodeDetails: details,
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
  .map((init) => create(HTTPAccessLogEntrySchema, init));
const tcp = fc
  .record(
    { commonProperties: common, connectionProperties: fc.record({ receivedBytes: amount, sentBytes: amount }) },
    { requiredKeys: [] },
  )
  .map((init) => create(TCPAccessLogEntrySchema, init));
const identifier = maybe(fc.record({ node: fc.record({ id: text, cluster: text }), logName: text }));
const message = fc.oneof(
  fc.record({ identifier, logEntry: fc.array(http, { maxLength: 3 }) }).map(({ identifier: from, logEntry }) =>
    create(StreamAccessLogsMessageSchema, {
      ...(from && { identifier: from }),
      logEntries: { case: 'httpLogs', value: { logEntry } },
    }),
  ),
  fc.record({ identifier, logEntry: fc.array(tcp, { maxLength: 3 }) }).map(({ identifier: from, logEntry }) =>
    create(StreamAccessLogsMessageSchema, {
      ...(from && { identifier: from }),
      logEntries: { case: 'tcpLogs', value: { logEntry } },
    }),
  ),
);
const withSubjects = { ...directory, subjectOf: (issuer: string, subject: string): string => `${issuer} ${subject}` };

function byLibrary(
  bytes: Uint8Array,
  side: Side,
): { readonly records: readonly AccessRecord[]; readonly announced: readonly AccessRecord[] } {
  const { logEntries } = fromBinary(StreamAccessLogsMessageSchema, bytes);
  if (logEntries.case === 'httpLogs')
    return {
      records: logEntries.value.logEntry.flatMap((entry) => decodeHttp(entry, reporter(side), withSubjects, NOW)),
      announced: [],
    };
  const entries = logEntries.value?.logEntry ?? [];
  return {
    records: entries.flatMap((entry) => decodeTcp(entry, reporter(side), withSubjects, NOW)),
    announced: entries.flatMap((entry) => decodeTcpBeginning(entry, reporter(side), withSubjects, NOW)),
  };
}

describe(`audit: messages of proxies, read by hand (seed ${SEED})`, () => {
  it('give the records that they give when protobuf-es reads them', () => {
    fc.assert(
      fc.property(message, fc.constantFrom<Side>('inbound', 'outbound', 'gateway'), (told, side) => {
        const bytes = toBinary(StreamAccessLogsMessageSchema, told);
        const read = readMessage(bytes);
        assert.deepEqual(
          {
            records: recordsOfMessage(read, reporter(side), withSubjects, NOW),
            announced: announcedInMessage(read, reporter(side), withSubjects, NOW),
          },
          byLibrary(bytes, side),
        );
        const from = told.identifier;
        assert.deepEqual(read.identifier, from && { nodeId: from.node?.id ?? '', logName: from.logName });
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it('are refused or read, whatever was done to them, and never take long', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(message, damage, fc.nat(), (told, changes, cut) => {
        const bytes = toBinary(StreamAccessLogsMessageSchema, told);
        const bad = Uint8Array.from(bytes).subarray(0, cut % 2 === 0 ? bytes.length : cut % Math.max(1, bytes.length));
        for (const [place, value] of changes) if (bad.length > 0) bad[place % bad.length] = value;
        const read = parseMessage(bad);
        if (read !== undefined) recordsOfMessage(read, reporter('gateway'), withSubjects, NOW);
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it('are refused where they are cut off, endless, of groups, or nested without end', () => {
    let nested: number[] = [];
    // Struct fields { value { struct_value { ... } } }, of which each is an entry of a map with an empty key.
    for (let depth = 0; depth < 60; depth++) {
      const length = (bytes: readonly number[]): number[] =>
        bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >>> 7];
      const value = [0x2a, ...length(nested), ...nested];
      const entry = [0x12, ...length(value), ...value];
      nested = [0x0a, ...length(entry), ...entry];
    }
    const key = [...Buffer.from('envoy.filters.http.rbac')];
    const within = (tag: readonly number[], bytes: readonly number[]): number[] => [
      ...tag,
      (bytes.length & 0x7f) | 0x80,
      bytes.length >>> 7,
      ...bytes,
    ];
    const entry = within([0x0a], [0x0a, key.length, ...key, ...within([0x12], nested)]);
    const deep = within([0x12], within([0x0a], within([0x0a], within([0x8a, 0x01], entry))));
    for (const bytes of [
      [0x12],
      [0x12, 0x05, 0x0a],
      [0x12, 0xff, 0xff, 0xff, 0xff, 0x0f],
      Array<number>(11).fill(0xff),
      [0x00],
      [0x0b],
      [0x12, 0x02, 0x0a, 0x05],
      deep,
    ])
      assert.equal(parseMessage(Uint8Array.from(bytes)), undefined, bytes.slice(0, 12).join(' '));
  });

  it('lose nobody’s records over bytes that are no text', () => {
    const bytes = toBinary(
      StreamAccessLogsMessageSchema,
      create(StreamAccessLogsMessageSchema, {
        logEntries: { case: 'httpLogs', value: { logEntry: [{ request: { path: '/~~~' } }, {}] } },
      }),
    );
    bytes.set([0xff, 0xc3], Buffer.from(bytes).indexOf('~~~'));
    const read = parseMessage(bytes);
    assert.equal(read?.http.length, 2);
    assert.equal(read.http[0]?.request?.path, '/\uFFFD\uFFFD~');
  });
});
