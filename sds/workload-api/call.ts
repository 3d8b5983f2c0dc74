import { type Metadata, type ServerWritableStream, status } from '@grpc/grpc-js';

/** Why a call is refused, in the words of the SPIFFE Workload API standard. */
export interface CallRefusal {
  readonly code: status;
  readonly details: string;
}

const HEADER = 'workload.spiffe.io';

/**
 * The security header (SPIFFE Workload Endpoint, section 6.2.1): without it a web page that tricks the workload into a
 * request of its making could fetch the workload's keys.
 */
export function headerRefusal(metadata: Metadata): CallRefusal | undefined {
  const values = metadata.get(HEADER);
  if (values.length === 1 && values[0] === 'true') return undefined;
  return { code: status.INVALID_ARGUMENT, details: `security header missing from request: send ${HEADER}: true` };
}

/** What a stream should say now. */
export type StreamAnswer<Response> =
  /** `version` tells whether it was said already. */
  | { readonly kind: 'say'; readonly version: string; readonly response: () => Response }
  | { readonly kind: 'wait' }
  | { readonly kind: 'end'; readonly refusal: CallRefusal };

/**
 * Runs a server stream: what is current at once, and again after each change. While the peer does not read, nothing is
 * queued; when it reads again it gets what is current then.
 */
export function serveStream<Request, Response>(
  call: ServerWritableStream<Request, Response>,
  onChange: (listener: () => void) => () => void,
  answer: () => StreamAnswer<Response>,
): void {
  let said: string | undefined;
  let blocked = false;
  const refused = headerRefusal(call.metadata);
  if (refused !== undefined) {
    call.emit('error', refused);
    return;
  }
  let unsubscribe = () => {};
  const look = () => {
    if (blocked || call.cancelled) return;
    const now = answer();
    switch (now.kind) {
      case 'wait':
        return;
      case 'end':
        unsubscribe();
        call.emit('error', now.refusal);
        return;
      case 'say':
        if (now.version === said) return;
        said = now.version;
        blocked = !call.write(now.response());
        return;
      default:
        now satisfies never;
    }
  };
  unsubscribe = onChange(look);
  call.on('drain', () => {
    blocked = false;
    look();
  });
  call.on('cancelled', unsubscribe);
  call.on('error', unsubscribe);
  look();
}
