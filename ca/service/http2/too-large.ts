import { status } from '@grpc/grpc-js';
import { PREFIX } from '../framed.ts';
import type { RpcError } from '../status.ts';

// grpc-js's own limit where none is set: above, a client may expect its code.
const MESSAGE_LIMIT = 4 * 1024 * 1024;

/** How a message that says it is too large is refused. */
export function tooLarge(body: Buffer): RpcError {
  const length = body.length < PREFIX ? 0 : body.readUInt32BE(1);
  if (length > MESSAGE_LIMIT)
    return { code: status.RESOURCE_EXHAUSTED, details: `Received message larger than max (${length} vs. ${MESSAGE_LIMIT})` };
  return { code: status.INVALID_ARGUMENT, details: 'the message is too large or malformed' };
}
