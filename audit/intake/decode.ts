import { AccessLogType, HTTPAccessLogEntry_HTTPVersion as HttpVersion } from '#gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { RequestMethod, RequestMethodSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import { serialOf } from '../model/certificate-use.ts';
import type { AccessRecord, Hop, Protocol, Verdict } from '../model/record.ts';
import { type SocketEnd, socketEnd } from './address.ts';
import type { Directory, ServicePortRef } from './directory.ts';
import type { Amount, CommonLog, HttpLog, ResponseLog, TcpLog } from './log-entry.ts';
import { marksOf } from './marks.ts';
import { pathOf, templateOf } from './path-template.ts';
import { callerOf, peerOf } from './peer.ts';
import type { Reporter } from './reporter.ts';
import { flagsOf } from './response-flags.ts';
import { subjectMarks } from './subject.ts';
import { verdictOf } from './verdict.ts';

/** A proxy's clock may be wrong, but not so wrong that its records land outside of every report. */
const MAX_AHEAD_MS = 5 * 60_000;
const MAX_BEHIND_MS = 24 * 3_600_000;
const MAX_PATH = 4096;

/** The tag of routing/access-log/grpc.ts on records of connections whose beginning is told as well. */
const ANNOUNCED_TAG = 'announced';

/** What both kinds of entry have, brought to one shape. */
interface Call {
  readonly common: CommonLog | undefined;
  readonly details: string;
  readonly authority: string;
  readonly reached: boolean;
  readonly flags: readonly string[];
  readonly shared: Pick<
    AccessRecord,
    | 'time'
    | 'protocol'
    | 'method'
    | 'path'
    | 'template'
    | 'status'
    | 'grpcStatus'
    | 'durationUs'
    | 'bytesReceived'
    | 'bytesSent'
    | 'flags'
    | 'announced'
  >;
}

function timeOf(common: CommonLog | undefined, now: Date): number {
  const at = common?.startTime
    ? Number(common.startTime.seconds) * 1000 + Math.round(common.startTime.nanos / 1_000_000)
    : Number.NaN;
  return at > now.getTime() - MAX_BEHIND_MS && at < now.getTime() + MAX_AHEAD_MS ? Math.floor(at) : now.getTime();
}

function microseconds(common: CommonLog | undefined): number {
  const span = common?.duration ?? common?.timeToLastDownstreamTxByte;
  return span ? Math.max(0, Number(span.seconds) * 1_000_000 + Math.round(span.nanos / 1000)) : 0;
}

function bytes(...amounts: readonly (Amount | undefined)[]): number {
  let sum = 0;
  for (const amount of amounts) sum += Number(amount ?? 0);
  return Math.min(sum, Number.MAX_SAFE_INTEGER);
}

function protocolOf(entry: HttpLog): Protocol {
  if (entry.request?.requestHeaders['content-type']?.startsWith('application/grpc')) return 'GRPC';
  switch (entry.protocolVersion) {
    case HttpVersion.HTTP10:
      return 'HTTP/1.0';
    case HttpVersion.HTTP2:
      return 'HTTP/2';
    case HttpVersion.HTTP3:
      return 'HTTP/3';
    case HttpVersion.HTTP11:
    case HttpVersion.PROTOCOL_UNSPECIFIED:
      return 'HTTP/1.1';
    default:
      entry.protocolVersion satisfies never;
      return 'HTTP/1.1';
  }
}

/** In the trailers, or in the headers of an answer that has nothing else; 0 to 16 as gRPC has them, so that servers cannot invent more. */
function grpcStatusOf(response: ResponseLog | undefined): number | undefined {
  const text = response?.responseTrailers['grpc-status'] ?? response?.responseHeaders['grpc-status'];
  return text !== undefined && /^(?:\d|1[0-6])$/.test(text) ? Number(text) : undefined;
}

/** Methods that Envoy's enum does not know are told as OTHER: the text is the caller's, so unbounded. */
function methodOf(method: RequestMethod): string {
  return method === RequestMethod.METHOD_UNSPECIFIED ? 'OTHER' : (RequestMethodSchema.value[method]?.name ?? 'OTHER');
}

/** The stable part of a response code detail: `upstream_reset_before_response_started{connection_failure}` without the braces. */
function causeOf(call: Call): string {
  const [word] = /^[a-z][a-z0-9_.]{1,63}/.exec(call.details) ?? [];
  if (word !== undefined) return word;
  const flag = call.flags[0];
  if (flag === 'UF') return 'upstream_connection_failure';
  if (flag === 'UH') return 'no_healthy_upstream';
  if (flag === 'NR') return 'route_not_found';
  return flag ?? 'unknown';
}

/** Our cluster names say the service: `outbound|PORT|SUBSET|HOST`. */
function clusterService(name: string): ServicePortRef | undefined {
  const [, port, host] = /^outbound\|(\d{1,5})\|[^|]*\|([^|]{1,253})$/.exec(name) ?? [];
  return port === undefined || host === undefined ? undefined : { host, port: Number(port) };
}

const HOST = /^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?$/;

function authorityService(authority: string): ServicePortRef | undefined {
  const [, host, port] = /^([^:]+)(?::(\d{1,5}))?$/.exec(authority.toLowerCase()) ?? [];
  return host !== undefined && HOST.test(host) ? { host, port: Number(port ?? 0) } : undefined;
}

/**
 * A connection without a filter chain is logged by the listener, as TCP, with NR and nothing else. A failed handshake leaves a reason and no
 * bytes; plain text that is let in leaves a reason too (Envoy's TLS inspector saw no handshake), and bytes.
 */
function isTransportRefused({ flags, common, shared }: Call): boolean {
  const failed = (common?.downstreamTransportFailureReason ?? '') !== '';
  return flags.includes('NR') || (failed && shared.bytesReceived === 0 && shared.bytesSent === 0);
}

/** The hop into the reporter: it is the destination, saw the certificate and decided. */
function arrival(call: Call, reporter: Reporter, directory: Directory): AccessRecord {
  const { common } = call;
  const peer = peerOf(common?.tlsProperties);
  // The tag of routing/access-log/grpc.ts: what Envoy itself says of the connection, nothing of it is the caller's word.
  const certificate = peer.certificate ? serialOf(common?.customTags['peer-serial']) : undefined;
  const from = socketEnd(common?.downstreamDirectRemoteAddress ?? common?.downstreamRemoteAddress);
  const port = socketEnd(common?.downstreamLocalAddress)?.port;
  const service = port === undefined ? undefined : directory.serviceOf(reporter.nodeId, port, call.authority);
  const metadata = common?.metadata?.filterMetadata;
  const rbac = metadata?.['envoy.filters.http.rbac'] ?? metadata?.['envoy.filters.network.rbac'];
  const verdict = verdictOf({
    details: call.details,
    rbac,
    transportRefused: call.shared.protocol === 'TCP' && isTransportRefused(call),
    answeredByProxy: call.shared.protocol !== 'TCP' && !call.reached ? causeOf(call) : undefined,
    stoppedByProvider: call.flags.includes('UAEX'),
    allowPolicies: reporter.workload === undefined ? undefined : directory.allowPoliciesOf(reporter.workload),
  });
  const marks = [...marksOf(rbac, verdict), ...subjectMarks(metadata?.['envoy.filters.http.jwt_authn'], directory)];
  return {
    ...call.shared,
    side: reporter.side,
    hop: 'in',
    source: callerOf(peer.principal, from?.ip, directory),
    destination: { principal: reporter.principal, workload: reporter.workload, address: undefined },
    destinationMeshed: true,
    reached: true,
    service: service?.host,
    port,
    mtls: peer.certificate,
    ...(certificate === undefined ? {} : { certificate }),
    verdict,
    ...(marks.length === 0 ? {} : { marks }),
  };
}

function outcome(call: Call): Verdict {
  return call.reached ? { kind: 'allowed-no-policy' } : { kind: 'unreached', cause: causeOf(call) };
}

/** The hop out of the reporter, toward the service it chose or, without one, the host that was asked for. */
function departure(call: Call, reporter: Reporter, directory: Directory): AccessRecord | undefined {
  const to: SocketEnd | undefined = socketEnd(call.common?.upstreamRemoteAddress);
  const known =
    clusterService(call.common?.upstreamCluster ?? '') ?? directory.serviceOfAuthority(reporter.nodeId, call.authority);
  // Anyone can send a gateway any host name: what it does not know leads nowhere, and the hop into it is recorded.
  if (!known && !to && reporter.side === 'gateway') return undefined;
  const service = known ?? authorityService(call.authority);
  const at = to ? directory.workloadByAddress(to.ip) : undefined;
  return {
    ...call.shared,
    side: reporter.side,
    hop: 'out',
    source: { principal: reporter.principal, workload: reporter.workload, address: undefined },
    destination: { principal: undefined, workload: at?.workload, address: to?.ip },
    destinationMeshed: at?.meshed ?? false,
    reached: call.reached,
    service: service?.host,
    port: to && call.reached ? to.port : service?.port || undefined,
    mtls: false,
    verdict: outcome(call),
  };
}

function hopsOf(reporter: Reporter): readonly Hop[] {
  switch (reporter.side) {
    case 'inbound':
      return ['in'];
    case 'outbound':
      return ['out'];
    case 'gateway':
      return ['in', 'out'];
    default:
      return reporter.side satisfies never;
  }
}

function recordsOf(call: Call, reporter: Reporter, directory: Directory): readonly AccessRecord[] {
  const records: AccessRecord[] = [];
  for (const hop of hopsOf(reporter)) {
    if (hop === 'in') records.push(arrival(call, reporter, directory));
    // What a gateway itself denied was never on its way out.
    else if (!records[0]?.verdict.kind.startsWith('denied')) {
      const out = departure(call, reporter, directory);
      if (out) records.push(out);
    }
  }
  const [into, out] = records;
  return into === undefined || out === undefined ? records : [{ ...into, onward: true }, out];
}

function finished(common: CommonLog | undefined): boolean {
  if (common?.intermediateLogEntry) return false;
  const type = common === undefined ? AccessLogType.NotSet : common.accessLogType;
  return type === AccessLogType.NotSet || type === AccessLogType.TcpConnectionEnd || type === AccessLogType.DownstreamEnd;
}

/** The records of one HTTP log entry: none for intermediate entries, two for a gateway's. `now` bounds the proxy's clock. */
export function decodeHttp(entry: HttpLog, reporter: Reporter, directory: Directory, now: Date): readonly AccessRecord[] {
  const { commonProperties: common, request, response } = entry;
  if (!finished(common)) return [];
  const details = response?.responseCodeDetails ?? '';
  const protocol = protocolOf(entry);
  // Before a route rewrote it. Routes into a workload do not: there the header that says so is the caller's own word.
  const written = reporter.side === 'inbound' ? request?.path : request?.originalPath || request?.path;
  const path = pathOf(written ?? '').slice(0, MAX_PATH);
  const flags = flagsOf(common?.responseFlags);
  const grpcStatus = protocol === 'GRPC' ? grpcStatusOf(response) : undefined;
  const call: Call = {
    common,
    details,
    authority: request?.authority ?? '',
    // The first byte goes upstream only when the connection, with its handshake, is there.
    reached: details === 'via_upstream' || common?.timeToFirstUpstreamTxByte !== undefined,
    flags,
    shared: {
      time: timeOf(common, now),
      protocol,
      method: methodOf(request?.requestMethod ?? RequestMethod.METHOD_UNSPECIFIED),
      path,
      // A gRPC path is a method's name, never an identifier.
      template: protocol === 'GRPC' ? path.slice(0, 512) : templateOf(path),
      status: response?.responseCode ?? 0,
      ...(grpcStatus === undefined ? {} : { grpcStatus }),
      durationUs: microseconds(common),
      bytesReceived: bytes(request?.requestHeadersBytes, request?.requestBodyBytes),
      bytesSent: bytes(response?.responseHeadersBytes, response?.responseBodyBytes),
      flags,
    },
  };
  return recordsOf(call, reporter, directory);
}

/** The records of one TCP log entry, as `decodeHttp`. A connection counts once, when it ends. */
export function decodeTcp(entry: TcpLog, reporter: Reporter, directory: Directory, now: Date): readonly AccessRecord[] {
  return finished(entry.commonProperties) ? recordsOf(connectionOf(entry, now), reporter, directory) : [];
}

/** What a connection that began looks like so far; nothing if this entry tells of something else. */
export function decodeTcpBeginning(entry: TcpLog, reporter: Reporter, directory: Directory, now: Date): readonly AccessRecord[] {
  return entry.commonProperties?.accessLogType === AccessLogType.TcpUpstreamConnected
    ? recordsOf(connectionOf(entry, now), reporter, directory)
    : [];
}

function connectionOf({ commonProperties: common, connectionProperties: connection }: TcpLog, now: Date): Call {
  const flags = flagsOf(common?.responseFlags);
  const reached =
    socketEnd(common?.upstreamRemoteAddress) !== undefined &&
    !flags.some((flag) => flag === 'UF' || flag === 'UH' || flag === 'NR');
  // A proxy that is configured to (the tag says so) tells of the beginning when it is connected to where the connection leads.
  const announced = reached && common?.customTags[ANNOUNCED_TAG] !== undefined;
  return {
    common,
    details: common?.connectionTerminationDetails ?? '',
    authority: common?.tlsProperties?.tlsSniHostname ?? '',
    reached,
    flags,
    shared: {
      time: timeOf(common, now),
      protocol: 'TCP',
      method: '',
      path: '',
      template: '',
      status: 0,
      ...(announced ? { announced: true } : {}),
      durationUs: microseconds(common),
      bytesReceived: bytes(connection?.receivedBytes),
      bytesSent: bytes(connection?.sentBytes),
      flags,
    },
  };
}
