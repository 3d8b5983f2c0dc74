import type { RawCall } from '../call.ts';
import type { FramedMessage } from '../framed.ts';
import type { RpcError } from '../status.ts';
import type { RequestHead } from './request-head.ts';

/** A unary method on bytes. Never rejects. */
export type UnaryMethod = (call: RawCall) => Promise<FramedMessage | RpcError>;

/** The calls that are answered on connections of our own. */
export interface UnaryCalls {
  readonly method: UnaryMethod;
  /** Whether a call is one for `method`; all others are for grpc-js. */
  readonly isOurs: (head: RequestHead) => boolean;
  /** Bytes of a message at most. */
  readonly largest: number;
}
