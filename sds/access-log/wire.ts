import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type LogMessage, LogMessageSchema, RelayRequestSchema } from '#gen/gatehouse/log/v1/relay_pb.js';
import type { Waiting } from './queue.ts';

function message(waiting: Waiting): LogMessage {
  const sequence = BigInt(waiting.sequence);
  return waiting.kind === 'lost'
    ? create(LogMessageSchema, { sequence, lost: BigInt(waiting.count), lostAt: BigInt(waiting.at) })
    : create(LogMessageSchema, { sequence, nodeId: waiting.nodeId, logName: waiting.logName, logs: waiting.logs });
}

/** A gatehouse.log.v1.RelayRequest. */
export function requestBytes(source: string, messages: readonly Waiting[]): Buffer {
  const bytes = toBinary(RelayRequestSchema, create(RelayRequestSchema, { source, messages: messages.map(message) }));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A gatehouse.log.v1.LogMessage, as it stands in a spool. */
export function messageBytes(waiting: Waiting): Uint8Array {
  return toBinary(LogMessageSchema, message(waiting));
}

/** @throws when the bytes are none */
export function messageOf(bytes: Uint8Array): Waiting {
  const { sequence, nodeId, logName, logs, lost, lostAt } = fromBinary(LogMessageSchema, bytes);
  return lost > 0n
    ? { sequence: Number(sequence), kind: 'lost', count: Number(lost), at: Number(lostAt) }
    : { sequence: Number(sequence), kind: 'logs', nodeId, logName, logs };
}
