import type { JsonObject } from '@bufbuild/protobuf';
import { RequestMethod } from '#gen/envoy/config/core/v3/base_pb.js';
import { AccessLogType, HTTPAccessLogEntry_HTTPVersion as HttpVersion } from '#gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { ProtobufReader } from '../../ca/protobuf/reader.ts';
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
import { structIn } from './struct.ts';

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
  const reader = new ProtobufReader(bytes);
  let identifier: LogMessage['identifier'];
  const http: HttpLog[] = [];
  const tcp: TcpLog[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) identifier = identifierIn(reader);
    else if (tag === 0x12) entries(reader, () => http.push(httpIn(reader)));
    else if (tag === 0x1a) entries(reader, () => tcp.push(tcpIn(reader)));
    else reader.skip(tag);
  }
  return { identifier, http, tcp };
}

function entries(reader: ProtobufReader, take: () => void): void {
  reader.message((tag) => {
    if (tag !== 0x0a) return false;
    take();
    return true;
  });
}

function identifierIn(reader: ProtobufReader): LogMessage['identifier'] {
  let nodeId = '';
  let logName = '';
  reader.message((tag) => {
    if (tag === 0x0a)
      reader.message((inner) => {
        if (inner !== 0x0a) return false;
        nodeId = reader.text();
        return true;
      });
    else if (tag === 0x12) logName = reader.text();
    else return false;
    return true;
  });
  return { nodeId, logName };
}

function httpIn(reader: ProtobufReader): HttpLog {
  let commonProperties: CommonLog | undefined;
  let protocolVersion = HttpVersion.PROTOCOL_UNSPECIFIED;
  let request: RequestLog | undefined;
  let response: ResponseLog | undefined;
  reader.message((tag) => {
    if (tag === 0x0a) commonProperties = commonIn(reader);
    else if (tag === 0x10) protocolVersion = VERSIONS.get(reader.uint32()) ?? protocolVersion;
    else if (tag === 0x1a) request = requestIn(reader);
    else if (tag === 0x22) response = responseIn(reader);
    else return false;
    return true;
  });
  return { commonProperties, protocolVersion, request, response };
}

function tcpIn(reader: ProtobufReader): TcpLog {
  let commonProperties: CommonLog | undefined;
  let connectionProperties: TcpLog['connectionProperties'];
  reader.message((tag) => {
    if (tag === 0x0a) commonProperties = commonIn(reader);
    else if (tag === 0x12) {
      let [receivedBytes, sentBytes] = [0, 0];
      reader.message((inner) => {
        if (inner === 0x08) receivedBytes = reader.uint64();
        else if (inner === 0x10) sentBytes = reader.uint64();
        else return false;
        return true;
      });
      connectionProperties = { receivedBytes, sentBytes };
    } else return false;
    return true;
  });
  return { commonProperties, connectionProperties };
}

function commonIn(reader: ProtobufReader): CommonLog {
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
  reader.message((tag) => {
    switch (tag) {
      case 0x12:
        downstreamRemoteAddress = addressIn(reader);
        return true;
      case 0x1a:
        downstreamLocalAddress = addressIn(reader);
        return true;
      case 0x22:
        tlsProperties = tlsIn(reader);
        return true;
      case 0x2a:
        startTime = timeIn(reader);
        return true;
      case 0x3a:
        timeToFirstUpstreamTxByte = true;
        return false;
      case 0x62:
        timeToLastDownstreamTxByte = timeIn(reader);
        return true;
      case 0x6a:
        upstreamRemoteAddress = addressIn(reader);
        return true;
      case 0x7a:
        upstreamCluster = reader.text();
        return true;
      case 0x82:
        responseFlags = flagsIn(reader);
        return true;
      case 0x8a:
        filterMetadata = metadataIn(reader, filterMetadata ?? {});
        return true;
      case 0xa2:
        downstreamDirectRemoteAddress = addressIn(reader);
        return true;
      case 0xb2:
        customTags = textsIn(reader, TAGS, customTags);
        return true;
      case 0xba:
        duration = timeIn(reader);
        return true;
      case 0xca:
        connectionTerminationDetails = reader.text();
        return true;
      case 0xd8:
        intermediateLogEntry = reader.uint32() !== 0;
        return true;
      case 0xe2:
        downstreamTransportFailureReason = reader.text();
        return true;
      case 0x108:
        accessLogType = TYPES.get(reader.uint32());
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

function requestIn(reader: ProtobufReader): RequestLog {
  let requestMethod = RequestMethod.METHOD_UNSPECIFIED;
  let authority = '';
  let path = '';
  let originalPath = '';
  let requestHeadersBytes = 0;
  let requestBodyBytes = 0;
  let requestHeaders: Record<string, string> | undefined;
  reader.message((tag) => {
    if (tag === 0x08) requestMethod = METHODS.get(reader.uint32()) ?? requestMethod;
    else if (tag === 0x1a) authority = reader.text();
    else if (tag === 0x2a) path = reader.text();
    else if (tag === 0x52) originalPath = reader.text();
    else if (tag === 0x58) requestHeadersBytes = reader.uint64();
    else if (tag === 0x60) requestBodyBytes = reader.uint64();
    else if (tag === 0x6a) requestHeaders = textsIn(reader, HEADERS, requestHeaders);
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

function responseIn(reader: ProtobufReader): ResponseLog {
  let responseCode: number | undefined;
  let responseHeadersBytes = 0;
  let responseBodyBytes = 0;
  let responseHeaders: Record<string, string> | undefined;
  let responseTrailers: Record<string, string> | undefined;
  let responseCodeDetails = '';
  reader.message((tag) => {
    if (tag === 0x0a) {
      // google.protobuf.UInt32Value
      responseCode = 0;
      reader.message((inner) => {
        if (inner !== 0x08) return false;
        responseCode = reader.uint32();
        return true;
      });
    } else if (tag === 0x10) responseHeadersBytes = reader.uint64();
    else if (tag === 0x18) responseBodyBytes = reader.uint64();
    else if (tag === 0x22) responseHeaders = textsIn(reader, HEADERS, responseHeaders);
    else if (tag === 0x2a) responseTrailers = textsIn(reader, HEADERS, responseTrailers);
    else if (tag === 0x32) responseCodeDetails = reader.text();
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

function timeIn(reader: ProtobufReader): LogTime {
  let seconds = 0;
  let nanos = 0;
  reader.message((tag) => {
    if (tag === 0x08) seconds = reader.int64();
    else if (tag === 0x10) nanos = reader.uint32() | 0;
    else return false;
    return true;
  });
  return { seconds, nanos };
}

const NOWHERE: LogAddress = Object.freeze({ address: Object.freeze({ case: undefined }) });

function addressIn(reader: ProtobufReader): LogAddress {
  let found = NOWHERE;
  reader.message((tag) => {
    if (tag !== 0x0a) {
      // A pipe or an address within Envoy.
      found = NOWHERE;
      return false;
    }
    let address = '';
    let port: number | undefined;
    reader.message((inner) => {
      if (inner === 0x12) address = reader.text();
      else if (inner === 0x18) port = reader.uint32();
      else return false;
      return true;
    });
    const portSpecifier = port === undefined ? ({ case: undefined } as const) : ({ case: 'portValue', value: port } as const);
    found = { address: { case: 'socketAddress', value: { address, portSpecifier } } };
    return true;
  });
  return found;
}

function tlsIn(reader: ProtobufReader): LogTls {
  let tlsSniHostname = '';
  let peerCertificateProperties: LogPeer | undefined;
  reader.message((tag) => {
    if (tag === 0x1a) tlsSniHostname = reader.text();
    else if (tag === 0x2a) peerCertificateProperties = peerIn(reader);
    else return false;
    return true;
  });
  return { tlsSniHostname, peerCertificateProperties };
}

const NO_URI: LogPeer['subjectAltName'][number] = Object.freeze({ san: Object.freeze({ case: undefined }) });

function peerIn(reader: ProtobufReader): LogPeer {
  const subjectAltName: LogPeer['subjectAltName'][number][] = [];
  let subject = '';
  let issuer = '';
  reader.message((tag) => {
    if (tag === 0x0a) {
      let name = NO_URI;
      reader.message((inner) => {
        if (inner !== 0x0a) {
          name = NO_URI;
          return false;
        }
        name = { san: { case: 'uri', value: reader.text() } };
        return true;
      });
      subjectAltName.push(name);
    } else if (tag === 0x12) subject = reader.text();
    else if (tag === 0x1a) issuer = reader.text();
    else return false;
    return true;
  });
  return { subjectAltName, subject, issuer };
}

/** Undefined where none is set, as in nearly every record. */
function flagsIn(reader: ProtobufReader): LogFlags | undefined {
  let flags: Record<string, true> | undefined;
  reader.message((tag) => {
    const field = flagFieldOf(tag >>> 3);
    if (field === undefined) return false;
    const isSet = (tag & 7) === 0 ? reader.uint32() !== 0 : true;
    if (isSet) flags = { ...flags, [field]: true };
    return (tag & 7) === 0;
  });
  return flags;
}

function metadataIn(reader: ProtobufReader, into: Record<string, JsonObject>): Record<string, JsonObject> {
  reader.message((tag) => {
    if (tag !== 0x0a) return false;
    reader.entry(
      (key) => METADATA.has(key),
      () => structIn(reader),
      (key, value) => void (into[key] = value),
    );
    return true;
  });
  return into;
}

/** One entry of a map of texts, where it is wanted. */
function textsIn(
  reader: ProtobufReader,
  wanted: ReadonlySet<string>,
  into: Record<string, string> | undefined,
): Record<string, string> | undefined {
  let texts = into;
  reader.entry(
    (key) => wanted.has(key),
    () => reader.text(),
    (key, value) => void (texts = { ...texts, [key]: value }),
  );
  return texts;
}
