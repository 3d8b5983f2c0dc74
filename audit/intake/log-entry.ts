import type { JsonObject } from '@bufbuild/protobuf';
import type { AccessLogType, HTTPAccessLogEntry_HTTPVersion } from '#gen/envoy/data/accesslog/v3/accesslog_pb.js';
import type { RequestMethod } from '#gen/envoy/config/core/v3/base_pb.js';
import type { FlagField } from './response-flags.ts';

/** What is read of envoy.data.accesslog.v3, in the shapes that protobuf-es gives it. */
export interface HttpLog {
  readonly protocolVersion: HTTPAccessLogEntry_HTTPVersion;
  readonly commonProperties?: CommonLog | undefined;
  readonly request?: RequestLog | undefined;
  readonly response?: ResponseLog | undefined;
}

export interface TcpLog {
  readonly commonProperties?: CommonLog | undefined;
  readonly connectionProperties?: { readonly receivedBytes: Amount; readonly sentBytes: Amount } | undefined;
}

/** A number of 64 bits; beyond 2^53 it is near enough. */
export type Amount = number | bigint;

/** A Timestamp or a Duration. */
export interface LogTime {
  readonly seconds: Amount;
  readonly nanos: number;
}

export interface LogAddress {
  readonly address:
    | {
        readonly case: 'socketAddress';
        readonly value: {
          readonly address: string;
          readonly portSpecifier:
            | { readonly case: 'portValue'; readonly value: number }
            | { readonly case: 'namedPort' | undefined; readonly value?: unknown };
        };
      }
    | { readonly case: 'pipe' | 'envoyInternalAddress' | undefined; readonly value?: unknown };
}

export interface LogPeer {
  readonly subjectAltName: readonly {
    readonly san:
      { readonly case: 'uri'; readonly value: string } | { readonly case: 'dns' | undefined; readonly value?: unknown };
  }[];
  readonly subject: string;
  readonly issuer: string;
}

export interface LogTls {
  readonly tlsSniHostname: string;
  readonly peerCertificateProperties?: LogPeer | undefined;
}

export type LogFlags = { readonly [field in FlagField]?: unknown };

export interface CommonLog {
  readonly downstreamRemoteAddress?: LogAddress | undefined;
  readonly downstreamLocalAddress?: LogAddress | undefined;
  readonly downstreamDirectRemoteAddress?: LogAddress | undefined;
  readonly upstreamRemoteAddress?: LogAddress | undefined;
  readonly tlsProperties?: LogTls | undefined;
  readonly startTime?: LogTime | undefined;
  readonly timeToFirstUpstreamTxByte?: unknown;
  readonly timeToLastDownstreamTxByte?: LogTime | undefined;
  readonly duration?: LogTime | undefined;
  readonly upstreamCluster: string;
  readonly responseFlags?: LogFlags | undefined;
  readonly metadata?: { readonly filterMetadata: Readonly<Record<string, JsonObject>> } | undefined;
  readonly customTags: Readonly<Record<string, string>>;
  readonly connectionTerminationDetails: string;
  readonly intermediateLogEntry: boolean;
  readonly downstreamTransportFailureReason: string;
  /** Undefined: of a kind that came later. */
  readonly accessLogType: AccessLogType | undefined;
}

export interface RequestLog {
  readonly requestMethod: RequestMethod;
  readonly authority: string;
  readonly path: string;
  readonly originalPath: string;
  readonly requestHeadersBytes: Amount;
  readonly requestBodyBytes: Amount;
  readonly requestHeaders: Readonly<Record<string, string>>;
}

export interface ResponseLog {
  readonly responseCode?: number | undefined;
  readonly responseHeadersBytes: Amount;
  readonly responseBodyBytes: Amount;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly responseTrailers: Readonly<Record<string, string>>;
  readonly responseCodeDetails: string;
}
