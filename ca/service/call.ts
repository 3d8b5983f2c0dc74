import type { ServerUnaryCall } from '@grpc/grpc-js';
import type { AuthenticatedCall } from '../tls/peer.ts';
import type { Patience } from './queue.ts';

/** One unary call as the service sees it, whoever speaks HTTP/2 with its caller. */
export interface RawCall extends AuthenticatedCall {
  readonly message: Buffer;
  /** The values of the metadata key `authorization`. */
  readonly authorization: readonly string[];
  /** Address and port of the caller, or `unknown`. */
  readonly peer: string;
  readonly patience: Patience;
}

export function rawCall(call: ServerUnaryCall<Buffer, Buffer>): RawCall {
  return {
    message: call.request,
    authorization: call.metadata.get('authorization').map(String),
    peer: call.getPeer(),
    patience: {
      gaveUp: () => call.cancelled,
      onGivingUp: (task) => void call.once('cancelled', task),
    },
    getAuthContext: () => call.getAuthContext(),
  };
}
