import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Response, Variant } from '../subscription/event.ts';
import { messageWriter, type WriteMessage } from './message-writer.ts';
import { encodeResponse } from './wire.ts';

/**
 * Gives responses to gRPC one at a time, the next when HTTP/2 has taken the one before, and stops reading requests when
 * it begins; who owns it reads on. What waits is references to shared resources; only the response under way is bytes.
 */
export class Outbox {
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #write: WriteMessage;
  readonly #variant: Variant;
  readonly #onSent: (response: Response, bytes: number) => void;
  readonly #onIdle: () => void;
  #waiting: Response[] = [];
  #writing = false;
  #closed = false;

  /**
   * @param onSent called for each response as it is given to gRPC, with its size
   * @param onIdle called each time that all responses have been taken; may push new ones
   */
  constructor(
    call: ServerDuplexStream<Buffer, Buffer>,
    variant: Variant,
    onSent: (response: Response, bytes: number) => void,
    onIdle: () => void,
  ) {
    this.#call = call;
    this.#write = messageWriter(call);
    this.#variant = variant;
    this.#onSent = onSent;
    this.#onIdle = onIdle;
  }

  get busy(): boolean {
    return this.#writing || this.#waiting.length > 0;
  }

  push(responses: readonly Response[]): void {
    for (const response of responses) this.#waiting.push(response);
    this.#pump();
  }

  /** Forgets what waits. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  #pump(): void {
    if (this.#closed || this.#writing) return;
    const response = this.#waiting.shift();
    if (response === undefined) return;
    const message = encodeResponse(this.#variant, response);
    this.#writing = true;
    this.#call.pause();
    this.#onSent(response, message.byteLength);
    this.#write(message, () => this.#taken());
  }

  #taken(): void {
    this.#writing = false;
    if (this.#waiting.length > 0) return this.#pump();
    if (!this.#closed) this.#onIdle();
  }
}
