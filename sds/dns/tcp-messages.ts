/** A message over TCP has its length before it (RFC 1035, section 4.2.2). */
export function tcpMessage(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Puts the messages of a connection together from what comes in. */
export class TcpMessages {
  readonly #onMessage: (message: Buffer) => void;
  #waiting = Buffer.alloc(0);

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  take(chunk: Buffer): void {
    this.#waiting = Buffer.concat([this.#waiting, chunk]);
    while (this.#waiting.length >= 2) {
      const length = this.#waiting.readUInt16BE(0);
      if (this.#waiting.length < 2 + length) return;
      const message = this.#waiting.subarray(2, 2 + length);
      this.#waiting = this.#waiting.subarray(2 + length);
      this.#onMessage(message);
    }
  }
}
