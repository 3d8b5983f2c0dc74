import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type AccessLog,
  type AccessLogFilter,
  AccessLogFilterSchema,
  AccessLogSchema,
} from '#gen/envoy/config/accesslog/v3/accesslog_pb.js';
import { AccessLogType } from '#gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { FileAccessLogSchema } from '#gen/envoy/extensions/access_loggers/file/v3/file_pb.js';
import { ExpressionFilterSchema } from '#gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js';
import { StderrAccessLogSchema, StdoutAccessLogSchema } from '#gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import type { FileLogProvider } from '../../mesh/model/telemetry.ts';
import { typedConfig } from '../wire/any.ts';
import { logFormat } from './format.ts';
import { sentLogger } from './sent.ts';
import type { LogSettings } from './settings.ts';

type AccessLogInit = MessageInitShape<typeof AccessLogSchema>;

function expression(written: string): AccessLogFilter {
  return create(AccessLogFilterSchema, {
    filterSpecifier: {
      case: 'extensionFilter',
      value: {
        name: 'envoy.access_loggers.extension_filters.cel',
        configType: typedConfig(ExpressionFilterSchema, { expression: written }),
      },
    },
  });
}

function both(one: AccessLogFilter | undefined, other: AccessLogFilter | undefined): AccessLogFilter | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return create(AccessLogFilterSchema, { filterSpecifier: { case: 'andFilter', value: { filters: [one, other] } } });
}

/**
 * The proxy's own output goes by loggers that have it open already: where it is a socket (the agent's), nothing can open `/dev/stdout`, and
 * Envoy would refuse the listener.
 */
function fileLogger({ path, format }: FileLogProvider): Pick<AccessLogInit, 'name' | 'configType'> {
  const accessLogFormat = logFormat(format);
  switch (path) {
    case '/dev/stdout':
      return { name: 'envoy.access_loggers.stdout', configType: typedConfig(StdoutAccessLogSchema, { accessLogFormat }) };
    case '/dev/stderr':
      return { name: 'envoy.access_loggers.stderr', configType: typedConfig(StderrAccessLogSchema, { accessLogFormat }) };
    default:
      return { name: 'envoy.access_loggers.file', configType: typedConfig(FileAccessLogSchema, { path, accessLogFormat }) };
  }
}

/** Connections are told when they end, as Istio does; that they begin is for the control plane alone. */
const ENDED = create(AccessLogFilterSchema, {
  filterSpecifier: { case: 'logTypeFilter', value: { types: [AccessLogType.TcpUpstreamConnected], exclude: true } },
});

/**
 * Lines to a file, or records to a Service; none where such records are not made.
 * @param of what a record is about at this place
 * @param only what else a record must be, to be logged at this place
 */
export function furtherLog(
  { destination, filter }: LogSettings,
  of: 'request' | 'connection',
  only: AccessLogFilter | undefined,
): readonly AccessLog[] {
  const logger = destination.kind === 'file' ? fileLogger(destination.provider) : sentLogger(destination, of);
  if (logger === undefined) return [];
  const wanted = both(of === 'connection' ? both(only, ENDED) : only, filter === undefined ? undefined : expression(filter));
  return [create(AccessLogSchema, { ...logger, ...(wanted === undefined ? {} : { filter: wanted }) })];
}
