import type { TagAttribute, TagOverrides } from '../../mesh/model/telemetry.ts';
import type { AccessRecord } from '../model/record.ts';
import type { LabelSet, Reporter } from './labels.ts';
import { UNKNOWN } from './names.ts';

function attribute(record: AccessRecord, reporter: Reporter, name: TagAttribute): string | undefined {
  const tcp = record.protocol === 'TCP';
  switch (name) {
    case 'request.method':
      return tcp ? undefined : record.method;
    case 'request.protocol':
      // Records have gRPC in its place, which Envoy knows over nothing else.
      return tcp ? undefined : record.protocol === 'GRPC' ? 'HTTP/2' : record.protocol;
    case 'response.code':
      return tcp ? undefined : String(record.status);
    case 'response.grpc_status':
      return record.grpcStatus === undefined ? undefined : String(record.grpcStatus);
    case 'destination.port':
      // The caller's proxy tells the port that it reached, which is another than the one that was called.
      return reporter === 'destination' && record.port !== undefined ? String(record.port) : undefined;
    case 'connection.mtls':
      return record.hop === 'in' ? String(record.mtls) : undefined;
    case 'connection.uri_san_peer_certificate':
      return record.hop === 'in' ? record.source.principal : undefined;
    default:
      return name satisfies never;
  }
}

/** Labels as overrides have them; what a record does not have is unknown, as in Istio. */
export function overridden(labels: LabelSet, tags: TagOverrides, record: AccessRecord, reporter: Reporter): LabelSet {
  const made: Record<string, string | undefined> = { ...labels };
  for (const [name, tag] of Object.entries(tags))
    switch (tag.kind) {
      case 'remove':
        delete made[name];
        break;
      case 'literal':
        made[name] = tag.value;
        break;
      case 'attribute':
        made[name] = attribute(record, reporter, tag.attribute) ?? UNKNOWN;
        break;
      default:
        tag satisfies never;
    }
  return made;
}
