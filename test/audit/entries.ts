import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type Address, AddressSchema } from '#gen/envoy/config/core/v3/address_pb.js';
import { RequestMethod } from '#gen/envoy/config/core/v3/base_pb.js';
import {
  type AccessLogCommonSchema,
  type HTTPAccessLogEntry,
  HTTPAccessLogEntry_HTTPVersion as HttpVersion,
  HTTPAccessLogEntrySchema,
  type TCPAccessLogEntry,
  TCPAccessLogEntrySchema,
} from '#gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { NOW } from './world.ts';

/** The fields of the message, none of its own marks. */
type Common = Extract<MessageInitShape<typeof AccessLogCommonSchema>, { readonly $typeName?: never }>;

export function address(ip: string, port: number): Address {
  return create(AddressSchema, {
    address: { case: 'socketAddress', value: { address: ip, portSpecifier: { case: 'portValue', value: port } } },
  });
}

/** TLS properties with a peer certificate of these URI SANs. */
export function peer(...uris: readonly string[]): NonNullable<Common['tlsProperties']> {
  return {
    peerCertificateProperties: { issuer: 'O=test', subjectAltName: uris.map((value) => ({ san: { case: 'uri', value } })) },
  };
}

export const SENT = { seconds: 0n, nanos: 353_000 } as const;

export interface HttpInit {
  readonly common?: Common;
  readonly path?: string;
  readonly originalPath?: string;
  readonly method?: RequestMethod;
  readonly details?: string;
  readonly code?: number;
  readonly authority?: string;
  readonly version?: HttpVersion;
  readonly headers?: Record<string, string>;
  /** Of the response. */
  readonly trailers?: Record<string, string>;
}

const COMMON: Common = {
  startTime: timestampFromDate(NOW),
  duration: { seconds: 0n, nanos: 1_892_344 },
  downstreamDirectRemoteAddress: address('10.0.0.2', 40_000),
  downstreamLocalAddress: address('10.0.0.1', 8080),
};

/** A GET that web sent to app:8080 and the application answered, changed by what is given. */
export function http(init: HttpInit = {}): HTTPAccessLogEntry {
  return create(HTTPAccessLogEntrySchema, {
    protocolVersion: init.version ?? HttpVersion.HTTP11,
    commonProperties: { ...COMMON, ...init.common },
    request: {
      requestMethod: init.method ?? RequestMethod.GET,
      path: init.path ?? '/cart/42?token=secret',
      originalPath: init.originalPath ?? '',
      authority: init.authority ?? 'app:9080',
      requestHeadersBytes: 100n,
      requestBodyBytes: 11n,
      requestHeaders: init.headers ?? {},
    },
    response: {
      responseCode: init.code ?? 200,
      responseCodeDetails: init.details ?? 'via_upstream',
      responseHeadersBytes: 200n,
      responseBodyBytes: 22n,
      responseTrailers: init.trailers ?? {},
    },
  });
}

export function tcp(common: Common = {}, connectionProperties = { receivedBytes: 46n, sentBytes: 96n }): TCPAccessLogEntry {
  return create(TCPAccessLogEntrySchema, {
    commonProperties: { ...COMMON, ...common },
    connectionProperties,
  });
}
