import type { JsonFields, LogFormat } from '../../model/telemetry.ts';
import { entriesOf, type Field } from '../field.ts';
import { shorten } from '../node.ts';
import { text } from '../scalar.ts';

const LONGEST = 16_384;
const MOST_DEPTH = 8;

/**
 * Envoy's command operators (its docs, "access log: command operators"). One that it does not know makes it refuse the
 * listener that has the log, so it never gets that far.
 */
const OPERATORS: ReadonlySet<string> = new Set(
  `ACCESS_LOG_TYPE BYTES_RECEIVED BYTES_RETRANSMITTED BYTES_SENT CEL COALESCE COMMON_DURATION CONNECTION_ID
  CONNECTION_TERMINATION_DETAILS CUSTOM_FLAGS DOWNSTREAM_DETECTED_CLOSE_TYPE DOWNSTREAM_DIRECT_LOCAL_ADDRESS
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_HANDSHAKE_DURATION
  DOWNSTREAM_HEADER_BYTES_RECEIVED DOWNSTREAM_HEADER_BYTES_SENT DOWNSTREAM_LOCAL_ADDRESS
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_LOCAL_EMAIL_SAN
  DOWNSTREAM_LOCAL_IP_SAN DOWNSTREAM_LOCAL_PORT DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_LOCAL_URI_SAN DOWNSTREAM_PEER_CERT
  DOWNSTREAM_PEER_CERT_V_END DOWNSTREAM_PEER_CERT_V_START DOWNSTREAM_PEER_DNS_SAN DOWNSTREAM_PEER_EMAIL_SAN
  DOWNSTREAM_PEER_FINGERPRINT_1 DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_ISSUER
  DOWNSTREAM_PEER_SERIAL DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_REMOTE_ADDRESS
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_REMOTE_PORT DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_SESSION_ID
  DOWNSTREAM_TLS_VERSION DOWNSTREAM_TRANSPORT_FAILURE_REASON DOWNSTREAM_WIRE_BYTES_RECEIVED DOWNSTREAM_WIRE_BYTES_SENT
  DURATION DYNAMIC_METADATA EMIT_TIME ENVIRONMENT FILTER_CHAIN_NAME FILTER_STATE GRPC_STATUS GRPC_STATUS_NUMBER HOSTNAME
  LOCAL_REPLY_BODY METADATA PATH PROTOCOL QUERY_PARAM REQ REQUEST_DURATION REQUEST_HEADERS_BYTES REQUEST_TX_DURATION
  REQUESTED_SERVER_NAME REQ_WITHOUT_QUERY RESP RESPONSE_CODE RESPONSE_CODE_DETAILS RESPONSE_DURATION RESPONSE_FLAGS
  RESPONSE_FLAGS_LONG RESPONSE_HEADERS_BYTES RESPONSE_TRAILERS_BYTES RESPONSE_TX_DURATION ROUNDTRIP_DURATION ROUTE_NAME
  START_TIME START_TIME_LOCAL STREAM_ID TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT TRACE_ID TRAILER UNIQUE_ID UPSTREAM_CLUSTER
  UPSTREAM_CLUSTER_RAW UPSTREAM_CONNECTION_ID UPSTREAM_CONNECTION_POOL_READY_DURATION UPSTREAM_DETECTED_CLOSE_TYPE
  UPSTREAM_FILTER_STATE UPSTREAM_HEADER_BYTES_RECEIVED UPSTREAM_HEADER_BYTES_SENT UPSTREAM_HOST UPSTREAM_HOST_NAME
  UPSTREAM_HOST_NAME_WITHOUT_PORT UPSTREAM_HOSTS_ATTEMPTED UPSTREAM_LOCAL_ADDRESS UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT
  UPSTREAM_LOCAL_CLOSE_REASON UPSTREAM_LOCAL_PORT UPSTREAM_METADATA UPSTREAM_PEER_CERT UPSTREAM_PEER_CERT_V_END
  UPSTREAM_PEER_CERT_V_START UPSTREAM_PEER_ISSUER UPSTREAM_PEER_SUBJECT UPSTREAM_PEER_URI_SAN UPSTREAM_PROTOCOL
  UPSTREAM_REMOTE_ADDRESS UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT UPSTREAM_REMOTE_PORT UPSTREAM_REQUEST_ATTEMPT_COUNT
  UPSTREAM_TLS_CIPHER UPSTREAM_TLS_SESSION_ID UPSTREAM_TLS_VERSION UPSTREAM_TRANSPORT_FAILURE_REASON
  UPSTREAM_WIRE_BYTES_RECEIVED UPSTREAM_WIRE_BYTES_SENT VIRTUAL_CLUSTER_NAME VIRTUAL_HOST_NAME`.split(/\s+/),
);

/** These take an argument in parentheses, and Envoy refuses them without one. */
const WITH_ARGUMENT: ReadonlySet<string> = new Set(
  'CEL COMMON_DURATION DYNAMIC_METADATA ENVIRONMENT FILTER_STATE METADATA QUERY_PARAM REQ REQ_WITHOUT_QUERY RESP TRAILER UPSTREAM_FILTER_STATE'.split(
    ' ',
  ),
);

/** What is wrong with a format string; undefined when nothing is. */
export function wrongFormat(format: string): string | undefined {
  if (format.length > LONGEST) return `is longer than ${LONGEST} characters`;
  // From left to right, so that the two percent signs between operators that adjoin are none of their own.
  const rest = format.replaceAll(
    /%%|%([A-Z_0-9]+)(\([^)]*\))?(:\d+)?%/g,
    (whole: string, name: string | undefined, argument: string | undefined) => {
      if (name === undefined) return '';
      if (!OPERATORS.has(name)) return whole;
      return WITH_ARGUMENT.has(name) && (argument === undefined || argument === '()') ? whole : '';
    },
  );
  const at = rest.indexOf('%');
  return at < 0 ? undefined : `has "${shorten(rest.slice(at, at + 30))}", which Envoy cannot print`;
}

/** A line of text; undefined when empty. */
export function textFormat(field: Field): LogFormat | undefined {
  const written = text(field);
  if (written === '') return undefined;
  const wrong = wrongFormat(written);
  if (wrong !== undefined) field.error('bad-format', wrong, 'as "%REQ(:METHOD)% %RESPONSE_CODE%\\n"; a percent sign is %%');
  return { kind: 'text', text: written };
}

function fields(field: Field, depth: number): JsonFields {
  if (depth > MOST_DEPTH) field.error('out-of-range', `is nested more than ${MOST_DEPTH} deep`);
  return Object.fromEntries(
    entriesOf(field).map(([name, value]): [string, string | JsonFields] => {
      if (value.node?.kind === 'map' && depth <= MOST_DEPTH) return [name, fields(value, depth + 1)];
      const written = text(value);
      const wrong = wrongFormat(written);
      if (wrong !== undefined) value.error('bad-format', wrong, 'as "%RESPONSE_CODE%"; a percent sign is %%');
      return [name, written];
    }),
  );
}

/** Formats by name, none of them nested. */
export function textFields(field: Field): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, value] of entriesOf(field)) {
    const format = textFormat(value);
    if (format?.kind === 'text') found[name] = format.text;
  }
  return found;
}

/** The fields of a line of JSON; undefined when absent. */
export function jsonFormat(field: Field): LogFormat | undefined {
  return field.given ? { kind: 'json', fields: fields(field, 1) } : undefined;
}
