import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { Metadata, status } from '@grpc/grpc-js';
import { StatusSchema } from '#gen/google/rpc/status_pb.js';
import type { Refusal, RefusalCode } from '../refusal.ts';

/** An error as grpc-js callbacks take it. */
export interface RpcError {
  readonly code: status;
  readonly details: string;
  readonly metadata?: Metadata;
}

const CODES: Readonly<Record<RefusalCode, status>> = Object.freeze({
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  exhausted: status.RESOURCE_EXHAUSTED,
  invalid: status.INVALID_ARGUMENT,
  unavailable: status.UNAVAILABLE,
  internal: status.INTERNAL,
});

export function rpcError(refusal: Refusal): RpcError {
  if (refusal.code === 'exhausted') return overloaded(refusal.retryAfterMs ?? 1000, refusal.reason);
  return { code: CODES[refusal.code], details: refusal.reason };
}

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

/**
 * RESOURCE_EXHAUSTED with the wait that clients should keep, in both forms in use: google.rpc.RetryInfo in the status details and the trailer
 * `grpc-retry-pushback-ms` (gRFC A6).
 */
export function overloaded(
  retryAfterMs: number,
  details = 'too many certificate requests are waiting; try again later',
): RpcError {
  const ms = Math.max(1, Math.round(retryAfterMs));
  const delay = create(DurationSchema, { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 });
  const retryInfo = new BinaryWriter()
    .uint32((1 << 3) | 2)
    .bytes(toBinary(DurationSchema, delay))
    .finish();
  const rich = create(StatusSchema, {
    code: status.RESOURCE_EXHAUSTED,
    message: details,
    details: [{ $typeName: 'google.protobuf.Any', typeUrl: RETRY_INFO, value: retryInfo }],
  });
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, rich)));
  metadata.set('grpc-retry-pushback-ms', String(ms));
  return { code: status.RESOURCE_EXHAUSTED, details, metadata };
}
