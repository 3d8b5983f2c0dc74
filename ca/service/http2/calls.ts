import { status } from '@grpc/grpc-js';
import type { AuthenticatedCall } from '../../tls/peer.ts';
import type { RawCall } from '../call.ts';
import { PREFIX } from '../framed.ts';
import type { RpcError } from '../status.ts';
import { errorAnswer } from './answer.ts';
import { ERROR, FRAME, numberFrame } from './frame.ts';
import type { Output } from './output.ts';
import { ReceiveWindow } from './receive-window.ts';
import type { RequestHead } from './request-head.ts';
import { SendWindow } from './send-window.ts';
import { DEFAULT_WINDOW } from './settings.ts';
import { bodyOf, NOTHING, soleMessage, type Stream, takePart, timeoutMs } from './stream.ts';
import { tooLarge } from './too-large.ts';
import type { UnaryCalls } from './unary.ts';

export interface CallOptions extends UnaryCalls {
  /** Calls at once, at most. */
  readonly concurrentStreams: number;
  /** Address and port, and the verified certificate, of the other side. */
  readonly peer: string;
  readonly context: ReturnType<AuthenticatedCall['getAuthContext']>;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
}

/** The open streams of a connection, each a call: from its head over its message to its answer. */
export class Calls {
  readonly window: SendWindow;
  readonly #open = new Map<number, Stream>();
  readonly #options: CallOptions;
  readonly #output: Output;
  readonly #over: (answered: boolean) => void;
  /** Calls that the caller gave up while the method was at work. */
  #abandoned = 0;
  #tellTable = true;

  /** @param over told after each call that is over, and whether it was answered */
  constructor(options: CallOptions, output: Output, over: (answered: boolean) => void) {
    this.#options = options;
    this.#output = output;
    this.#over = over;
    this.window = new SendWindow(output, (stream) => this.#answered(stream));
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id);
  }

  all(): Iterable<Stream> {
    return this.#open.values();
  }

  get none(): boolean {
    return this.#open.size === 0;
  }

  /** Whether no more may begin. What was given up counts until its work is done, so that resets get nobody more of it (CVE-2023-44487). */
  get full(): boolean {
    return this.#open.size + this.#abandoned >= this.#options.concurrentStreams;
  }

  begin(id: number, head: RequestHead): Stream {
    const timeout = timeoutMs(head);
    const stream: Stream = {
      id,
      head,
      deadline: timeout === Infinity ? Infinity : this.#options.clock() + timeout,
      body: NOTHING,
      length: 0,
      receiveWindow: new ReceiveWindow(id, DEFAULT_WINDOW),
      sendWindow: this.window.initial,
      ended: false,
      atWork: false,
      closed: false,
      onGivingUp: undefined,
    };
    this.#open.set(id, stream);
    return stream;
  }

  /** Takes a part of the message. False where it is not what its head promised (RFC 9113, section 8.1.1). */
  take(stream: Stream, part: Buffer, last: boolean): boolean {
    takePart(stream, part, last);
    if (stream.length > PREFIX + this.#options.largest) {
      this.#refuse(stream, tooLarge(bodyOf(stream)));
      this.#output.add(numberFrame(FRAME.resetStream, stream.id, ERROR.none));
      return true;
    }
    return !last || this.end(stream);
  }

  /** Does the call: everything has come. False where it is not what its head promised. */
  end(stream: Stream): boolean {
    stream.ended = true;
    const { contentLength } = stream.head;
    if (contentLength !== undefined && contentLength !== stream.length) return false;
    const message = soleMessage(bodyOf(stream));
    stream.body = NOTHING;
    if (message === undefined) {
      this.#refuse(stream, { code: status.INTERNAL, details: 'the request is not exactly one uncompressed message' });
      return true;
    }
    stream.atWork = true;
    void this.#options.method(this.#callOn(stream, message)).then((given) => {
      stream.atWork = false;
      if (stream.closed) this.#abandoned--;
      else if ('bytes' in given) this.window.send(stream, given, this.#tableToTell());
      else this.#refuse(stream, given);
    });
    return true;
  }

  /** Nobody waits for it any more. */
  abandon(stream: Stream): void {
    if (stream.atWork) this.#abandoned++;
    stream.closed = true;
    this.#open.delete(stream.id);
    this.window.forget(stream);
    stream.onGivingUp?.();
    this.#over(false);
  }

  /** The client said how large a table it keeps. */
  tellTable(): void {
    this.#tellTable = true;
  }

  #callOn(stream: Stream, message: Buffer): RawCall {
    const { peer, context, clock } = this.#options;
    return {
      message,
      authorization: stream.head.authorization,
      peer,
      patience: {
        gaveUp: () => stream.closed || (stream.deadline !== Infinity && clock() >= stream.deadline),
        onGivingUp: (task) => void (stream.onGivingUp = task),
      },
      getAuthContext: () => context,
    };
  }

  #tableToTell(): boolean {
    const tell = this.#tellTable;
    this.#tellTable = false;
    return tell;
  }

  #refuse(stream: Stream, error: RpcError): void {
    this.#output.add(errorAnswer(stream.id, error, this.#tableToTell()));
    this.#answered(stream);
  }

  #answered(stream: Stream): void {
    stream.closed = true;
    this.#open.delete(stream.id);
    this.#over(true);
  }
}
