import type { Metadata } from '@grpc/grpc-js';
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { StatusSchema } from '#gen/google/rpc/status_pb.js';

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

/**
 * How long a server asked to wait, in milliseconds: google.rpc.RetryInfo in the status details, or the trailer
 * `grpc-retry-pushback-ms` of gRFC A6 (where a negative number means never; taken here as no hint, since an agent without
 * a certificate cannot give up).
 */
export function retryHint(trailers: Metadata): number | undefined {
  for (const details of trailers.get('grpc-status-details-bin')) {
    const delay = typeof details === 'string' ? undefined : retryInfo(details);
    if (delay !== undefined) return delay;
  }
  const [pushback] = trailers.get('grpc-retry-pushback-ms');
  if (typeof pushback === 'string' && /^\d{1,9}$/.test(pushback)) return Number(pushback);
  return undefined;
}

function retryInfo(details: Buffer): number | undefined {
  try {
    const info = fromBinary(StatusSchema, details).details.find((any) => any.typeUrl === RETRY_INFO);
    return info === undefined ? undefined : retryDelay(info.value);
  } catch {
    // Details are advice from the peer; undecodable ones are no advice.
    return undefined;
  }
}

/** Field 1 of google.rpc.RetryInfo, a Duration. */
function retryDelay(bytes: Uint8Array): number | undefined {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1) {
      const duration = fromBinary(DurationSchema, reader.bytes());
      const ms = Number(duration.seconds) * 1000 + duration.nanos / 1e6;
      return ms > 0 ? ms : undefined;
    }
    reader.skip(wire, field);
  }
  return undefined;
}
