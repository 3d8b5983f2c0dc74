import { create } from '@bufbuild/protobuf';
import { type AccessLog, AccessLogSchema } from '#gen/envoy/config/accesslog/v3/accesslog_pb.js';
import { StdoutAccessLogSchema } from '#gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import { typedConfig } from '../wire/any.ts';

/** Fields under Istio's names, so that existing log pipelines read them. */
const FIELDS = Object.freeze({
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  authority: '%REQ(:AUTHORITY)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  downstream_peer_uri_san: '%DOWNSTREAM_PEER_URI_SAN%',
  route_name: '%ROUTE_NAME%',
});

/** JSON lines on the proxy's standard output; off unless a command asks for it. */
export function stdoutAccessLog(): AccessLog {
  return create(AccessLogSchema, {
    name: 'envoy.access_loggers.stdout',
    configType: typedConfig(StdoutAccessLogSchema, {
      accessLogFormat: { case: 'logFormat', value: { format: { case: 'jsonFormat', value: { ...FIELDS } } } },
    }),
  });
}
