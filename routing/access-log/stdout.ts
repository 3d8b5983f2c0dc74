import { create } from '@bufbuild/protobuf';
import { type AccessLog, AccessLogSchema } from '#gen/envoy/config/accesslog/v3/accesslog_pb.js';
import { StdoutAccessLogSchema } from '#gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import { typedConfig } from '../wire/any.ts';
import { JSON_FIELDS } from './format.ts';

/** Istio's fields, so that existing log pipelines read them, and who called. */
const FIELDS = Object.freeze({ ...JSON_FIELDS, downstream_peer_uri_san: '%DOWNSTREAM_PEER_URI_SAN%' });

/** JSON lines on the proxy's standard output; off unless a command asks for it. */
export function stdoutAccessLog(): AccessLog {
  return create(AccessLogSchema, {
    name: 'envoy.access_loggers.stdout',
    configType: typedConfig(StdoutAccessLogSchema, {
      accessLogFormat: { case: 'logFormat', value: { format: { case: 'jsonFormat', value: { ...FIELDS } } } },
    }),
  });
}
