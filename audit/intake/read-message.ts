import type { JsonObject } from '@bufbuild/protobuf';
import { RequestMethod } from '#gen/envoy/config/core/v3/base_pb.js';
import { AccessLogType, HTTPAccessLogEntry_HTTPVersion as HttpVersion } from '#gen/envoy/data/accesslog/v3/accesslog_pb.js';
import type {
  CommonLog,
  HttpLog,
  LogAddress,
  LogFlags,
  LogPeer,
  LogTime,
  LogTls,
  RequestLog,
  ResponseLog,
  TcpLog,
} from './log-entry.ts';
import { flagFieldOf } from './response-flags.ts';
import { Wire } from './wire.ts';

/** envoy.service.accesslog.v3.StreamAccessLogsMessage, as far as it is read. */
export interface LogMessage {
  readonly identifier: { readonly nodeId: string; readonly logName: string } | undefined;
  readonly http: readonly HttpLog[];
  readonly tcp: readonly TcpLog[];
}

const NONE: Readonly<Record<string, never>> = Object.freeze({});

/** The values of an enum, by number. */
function numbered<T extends number>(values: Readonly<Record<string, string | T>>): ReadonlyMap<number, T> {
  return new Map(Object.values(values).flatMap((value) => (typeof value === 'string' ? [] : [[value, value]])));
}

const METHODS = numbered(RequestMethod);
const VERSIONS = numbered(HttpVersion);
const TYPES = numbered(AccessLogType);

/** Of maps, all that is ever asked for: the keys of others may be a caller's. */
const METADATA: ReadonlySet<string> = new Set([
  'envoy.filters.http.rbac',
  'envoy.filters.network.rbac',
  'envoy.filters.http.jwt_authn',
]);
const TAGS: ReadonlySet<string> = new Set(['peer-serial', 'announced']);
const HEADERS: ReadonlySet<string> = new Set(['content-type', 'grpc-status']);

/**
 * Reads a message by hand: half of what a record costs is otherwise spent on making objects of all that Envoy tells, of which a third is read.
 * Tags are `number << 3 | type` of the fields of envoy.data.accesslog.v3; the numbers of a published proto never change.
 * @throws Error when the bytes are no such message
 */
export function readMessage(bytes: Uint8Array): LogMessage {
  const wire = new Wire(bytes);
  let identifier: LogMessage['identifier'];
  const http: HttpLog[] = [];
  const tcp: TcpLog[] = [];
  for (let tag = wire.tag(); tag !== 0; tag = wire.tag()) {
    if (tag === 0x0a) identifier = identifierIn(wire);
    else if (tag === 0x12) entries(wire, () => http.push(httpIn(wire)));
    else if (tag === 0x1a) entries(wire, () => tcp.push(tcpIn(wire)));
    else wire.skip(tag);
  }
  return { identifier, http, tcp };
}

function entries(wire: Wire, take: () => void): void {
  wire.message((tag) => {
    if (tag !== 0x0a) return false;
    take();
    return true;
  });
}

function identifierIn(wire: Wire): LogMessage['identifier'] {
  let nodeId = '';
  let logName = '';
  wire.message((tag) => {
    if (tag === 0x0a)
      wire.message((inner) => {
        if (inner !== 0x0a) return false;
        nodeId = wire.text();
        return true;
      });
    else if (tag === 0x12) logName = wire.text();
    else return false;
    return true;
  });
  return { nodeId, logName };
}

function httpIn(wire: Wire): HttpLog {
  let commonProperties: CommonLog | undefined;
  let protocolVersion = HttpVersion.PROTOCOL_UNSPECIFIED;
  let request: RequestLog | undefined;
  let response: ResponseLog | undefined;
  wire.message((tag) => {
    if (tag === 0x0a) commonProperties = commonIn(wire);
    else if (tag === 0x10) protocolVersion = VERSIONS.get(wire.uint32()) ?? protocolVersion;
    else if (tag === 0x1a) request = requestIn(wire);
    else if (tag === 0x22) response = responseIn(wire);
    else return false;
    return true;
  });
  return { commonProperties, protocolVersion, request, response };
}

function tcpIn(wire: Wire): TcpLog {
  let commonProperties: CommonLog | undefined;
  let connectionProperties: TcpLog['connectionProperties'];
  wire.message((tag) => {
    if (tag === 0x0a) commonProperties = commonIn(wire);
    else if (tag === 0x12) {
      let [receivedBytes, sentBytes] = [0, 0];
      wire.message((inner) => {
        if (inner === 0x08) receivedBytes = wire.uint64();
        else if (inner === 0x10) sentBytes = wire.uint64();
        else return false;
        return true;
      });
      connectionProperties = { receivedBytes, sentBytes };
    } else return false;
    return true;
  });
  return { commonProperties, connectionProperties };
}

function commonIn(wire: Wire): CommonLog {
  let downstreamRemoteAddress: LogAddress | undefined;
  let downstreamLocalAddress: LogAddress | undefined;
  let downstreamDirectRemoteAddress: LogAddress | undefined;
  let upstreamRemoteAddress: LogAddress | undefined;
  let tlsProperties: LogTls | undefined;
  let startTime: LogTime | undefined;
  let timeToFirstUpstreamTxByte: true | undefined;
  let timeToLastDownstreamTxByte: LogTime | undefined;
  let duration: LogTime | undefined;
  let upstreamCluster = '';
  let responseFlags: LogFlags | undefined;
  let filterMetadata: Record<string, JsonObject> | undefined;
  let customTags: Record<string, string> | undefined;
  let connectionTerminationDetails = '';
  let intermediateLogEntry = false;
  let downstreamTransportFailureReason = '';
  let accessLogType: AccessLogType | undefined = AccessLogType.NotSet;
  wire.message((tag) => {
    switch (tag) {
      case 0x12:
        downstreamRemoteAddress = addressIn(wire);
        return true;
      case 0x1a:
        downstreamLocalAddress = addressIn(wire);
        return true;
      case 0x22:
        tlsProperties = tlsIn(wire);
        return true;
      case 0x2a:
        startTime = timeIn(wire);
        return true;
      case 0x3a:
        timeToFirstUpstreamTxByte = true;
        return false;
      case 0x62:
        timeToLastDownstreamTxByte = timeIn(wire);
        return true;
      case 0x6a:
        upstreamRemoteAddress = addressIn(wire);
        return true;
      case 0x7a:
        upstreamCluster = wire.text();
        return true;
      case 0x82:
        responseFlags = flagsIn(wire);
        return true;
      case 0x8a:
        filterMetadata = metadataIn(wire, filterMetadata ?? {});
        return true;
      case 0xa2:
        downstreamDirectRemoteAddress = addressIn(wire);
        return true;
      case 0xb2:
        customTags = textsIn(wire, TAGS, customTags);
        return true;
      case 0xba:
        duration = timeIn(wire);
        return true;
      case 0xca:
        connectionTerminationDetails = wire.text();
        return true;
      case 0xd8:
        intermediateLogEntry = wire.uint32() !== 0;
        return true;
      case 0xe2:
        downstreamTransportFailureReason = wire.text();
        return true;
      case 0x108:
        accessLogType = TYPES.get(wire.uint32());
        return true;
      default:
        return false;
    }
  });
  return {
    downstreamRemoteAddress,
    downstreamLocalAddress,
    downstreamDirectRemoteAddress,
    upstreamRemoteAddress,
    tlsProperties,
    startTime,
    timeToFirstUpstreamTxByte,
    timeToLastDownstreamTxByte,
    duration,
    upstreamCluster,
    responseFlags,
    metadata: filterMetadata === undefined ? undefined : { filterMetadata },
    customTags: customTags ?? NONE,
    connectionTerminationDetails,
    intermediateLogEntry,
    downstreamTransportFailureReason,
    accessLogType,
  };
}

function requestIn(wire: Wire): RequestLog {
  let requestMethod = RequestMethod.METHOD_UNSPECIFIED;
  let authority = '';
  let path = '';
  let originalPath = '';
  let requestHeadersBytes = 0;
  let requestBodyBytes = 0;
  let requestHeaders: Record<string, string> | undefined;
  wire.message((tag) => {
    if (tag === 0x08) requestMethod = METHODS.get(wire.uint32()) ?? requestMethod;
    else if (tag === 0x1a) authority = wire.text();
    else if (tag === 0x2a) path = wire.text();
    else if (tag === 0x52) originalPath = wire.text();
    else if (tag === 0x58) requestHeadersBytes = wire.uint64();
    else if (tag === 0x60) requestBodyBytes = wire.uint64();
    else if (tag === 0x6a) requestHeaders = textsIn(wire, HEADERS, requestHeaders);
    else return false;
    return true;
  });
  return {
    requestMethod,
    authority,
    path,
    originalPath,
    requestHeadersBytes,
    requestBodyBytes,
    requestHeaders: requestHeaders ?? NONE,
  };
}

function responseIn(wire: Wire): ResponseLog {
  let responseCode: number | undefined;
  let responseHeadersBytes = 0;
  let responseBodyBytes = 0;
  let responseHeaders: Record<string, string> | undefined;
  let responseTrailers: Record<string, string> | undefined;
  let responseCodeDetails = '';
  wire.message((tag) => {
    if (tag === 0x0a) {
      // google.protobuf.UInt32Value
      responseCode = 0;
      wire.message((inner) => {
        if (inner !== 0x08) return false;
        responseCode = wire.uint32();
        return true;
      });
    } else if (tag === 0x10) responseHeadersBytes = wire.uint64();
    else if (tag === 0x18) responseBodyBytes = wire.uint64();
    else if (tag === 0x22) responseHeaders = textsIn(wire, HEADERS, responseHeaders);
    else if (tag === 0x2a) responseTrailers = textsIn(wire, HEADERS, responseTrailers);
    else if (tag === 0x32) responseCodeDetails = wire.text();
    else return false;
    return true;
  });
  return {
    responseCode,
    responseHeadersBytes,
    responseBodyBytes,
    responseHeaders: responseHeaders ?? NONE,
    responseTrailers: responseTrailers ?? NONE,
    responseCodeDetails,
  };
}

function timeIn(wire: Wire): LogTime {
  let seconds = 0;
  let nanos = 0;
  wire.message((tag) => {
    if (tag === 0x08) seconds = wire.int64();
    else if (tag === 0x10) nanos = wire.uint32() | 0;
    else return false;
    return true;
  });
  return { seconds, nanos };
}

const NOWHERE: LogAddress = Object.freeze({ address: Object.freeze({ case: undefined }) });

function addressIn(wire: Wire): LogAddress {
  let found = NOWHERE;
  wire.message((tag) => {
    if (tag !== 0x0a) {
      // A pipe or an address within Envoy.
      found = NOWHERE;
      return false;
    }
    let address = '';
    let port: number | undefined;
    wire.message((inner) => {
      if (inner === 0x12) address = wire.text();
      else if (inner === 0x18) port = wire.uint32();
      else return false;
      return true;
    });
    const portSpecifier = port === undefined ? ({ case: undefined } as const) : ({ case: 'portValue', value: port } as const);
    found = { address: { case: 'socketAddress', value: { address, portSpecifier } } };
    return true;
  });
  return found;
}

function tlsIn(wire: Wire): LogTls {
  let tlsSniHostname = '';
  let peerCertificateProperties: LogPeer | undefined;
  wire.message((tag) => {
    if (tag === 0x1a) tlsSniHostname = wire.text();
    else if (tag === 0x2a) peerCertificateProperties = peerIn(wire);
    else return false;
    return true;
  });
  return { tlsSniHostname, peerCertificateProperties };
}

const NO_URI: LogPeer['subjectAltName'][number] = Object.freeze({ san: Object.freeze({ case: undefined }) });

function peerIn(wire: Wire): LogPeer {
  const subjectAltName: LogPeer['subjectAltName'][number][] = [];
  let subject = '';
  let issuer = '';
  wire.message((tag) => {
    if (tag === 0x0a) {
      let name = NO_URI;
      wire.message((inner) => {
        if (inner !== 0x0a) {
          name = NO_URI;
          return false;
        }
        name = { san: { case: 'uri', value: wire.text() } };
        return true;
      });
      subjectAltName.push(name);
    } else if (tag === 0x12) subject = wire.text();
    else if (tag === 0x1a) issuer = wire.text();
    else return false;
    return true;
  });
  return { subjectAltName, subject, issuer };
}

/** Undefined where none is set, as in nearly every record. */
function flagsIn(wire: Wire): LogFlags | undefined {
  let flags: Record<string, true> | undefined;
  wire.message((tag) => {
    const field = flagFieldOf(tag >>> 3);
    if (field === undefined) return false;
    const isSet = (tag & 7) === 0 ? wire.uint32() !== 0 : true;
    if (isSet) flags = { ...flags, [field]: true };
    return (tag & 7) === 0;
  });
  return flags;
}

function metadataIn(wire: Wire, into: Record<string, JsonObject>): Record<string, JsonObject> {
  wire.message((tag) => {
    if (tag !== 0x0a) return false;
    wire.entry(
      (key) => METADATA.has(key),
      () => wire.struct(),
      (key, value) => void (into[key] = value),
    );
    return true;
  });
  return into;
}

/** One entry of a map of texts, where it is wanted. */
function textsIn(
  wire: Wire,
  wanted: ReadonlySet<string>,
  into: Record<string, string> | undefined,
): Record<string, string> | undefined {
  let texts = into;
  wire.entry(
    (key) => wanted.has(key),
    () => wire.text(),
    (key, value) => void (texts = { ...texts, [key]: value }),
  );
  return texts;
}
