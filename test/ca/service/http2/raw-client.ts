import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { encodeFrame, errorOf, FLAGS, HEADER, type RawFrame, TYPE } from './raw-frame.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** One HTTP/2 connection, on which a test sends whatever frames it likes. Answers nothing by itself: no acknowledgement, no window. */
export class RawClient {
  /** Everything that came, in order. */
  readonly frames: RawFrame[] = [];
  /** Whether the server ended its side, or the connection broke. */
  ended = false;
  /** Whether it is over both ways. */
  closed = false;
  readonly #socket: Socket;
  #rest = Buffer.alloc(0);
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // A server that has had enough may reset; 'close' follows.
    socket.on('error', () => undefined);
    socket.on('end', () => this.#over());
    socket.on('close', () => {
      this.closed = true;
      this.#over();
    });
  }

  /** Connects to 127.0.0.1, over TLS with ALPN `h2` unless told otherwise, and says nothing yet. */
  static async open(port: number, { tls = true } = {}): Promise<RawClient> {
    // A server that ends its side sees this one go on: a test closes it.
    const target = { port, host: '127.0.0.1', allowHalfOpen: true };
    const socket = tls ? connectTls({ ...target, ALPNProtocols: ['h2'], rejectUnauthorized: false }) : connectTcp(target);
    socket.setNoDelay(true);
    await once(socket, tls ? 'secureConnect' : 'connect');
    return new RawClient(socket);
  }

  /** Connects, and says what a client says first (RFC 9113, section 3.4), with these settings. */
  static async start(port: number, options: { tls?: boolean; settings?: Uint8Array } = {}): Promise<RawClient> {
    const client = await RawClient.open(port, options);
    client.bytes(Buffer.concat([PREFACE, encodeFrame(TYPE.SETTINGS, FLAGS.NONE, 0, options.settings)]));
    return client;
  }

  /** Sends a frame. */
  send(type: number, flags: number, stream: number, payload?: Uint8Array): void {
    this.bytes(encodeFrame(type, flags, stream, payload));
  }

  /** Sends bytes, unless the connection is over: a flood goes on until the server ends it. */
  bytes(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Sends, and waits until the kernel has it or the connection is over: so nothing piles up on this side. */
  async bytesTaken(bytes: Uint8Array): Promise<void> {
    if (this.#socket.writable) await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** The first frame that fits, of those that came and those to come. Undefined when the connection ends without. */
  async frame(fits: (frame: RawFrame) => boolean): Promise<RawFrame | undefined> {
    for (let seen = 0; ;) {
      const found = this.frames.slice(seen).find(fits);
      if (found !== undefined || this.ended) return found;
      seen = this.frames.length;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The code in GOAWAY once the connection is over; undefined where it ended without. */
  async endedWith(): Promise<string | undefined> {
    await this.frame(() => false);
    const last = this.frames.findLast(({ type }) => type === TYPE.GOAWAY);
    return last === undefined ? undefined : errorOf(last);
  }

  /** How a stream ended: `answered`, or the code of its reset; undefined where the connection ended first. */
  async streamEnd(stream: number): Promise<string | undefined> {
    const end = await this.frame(
      (frame) =>
        frame.stream === stream &&
        (frame.type === TYPE.RST_STREAM ||
          ((frame.type === TYPE.HEADERS || frame.type === TYPE.DATA) && (frame.flags & FLAGS.END_STREAM) !== 0)),
    );
    return end?.type === TYPE.RST_STREAM ? errorOf(end) : end && 'answered';
  }

  /** Waits for the answer to a ping, which comes after the server has dealt with all before it. False when the connection ended first. */
  async dealtWith(): Promise<boolean> {
    this.#pings += 1;
    const mark = Buffer.alloc(8);
    mark.writeUInt32BE(this.#pings, 4);
    mark.write('mark');
    this.send(TYPE.PING, FLAGS.NONE, 0, mark);
    return (
      (await this.frame(({ type, flags, payload }) => type === TYPE.PING && flags === FLAGS.ACK && payload.equals(mark))) !==
      undefined
    );
  }
  #pings = 0;

  /** Reads no more: what the server sends stays in the kernel, then with the server. */
  stopReading(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  /** Ends this side alone; the server's goes on. */
  halfClose(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#rest.length < HEADER) break;
      const end = HEADER + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) break;
      const [head, payload] = [this.#rest.subarray(0, HEADER), this.#rest.subarray(HEADER, end)];
      const stream = head.readUInt32BE(5) & 0x7fff_ffff;
      this.frames.push({ type: head.readUInt8(3), flags: head.readUInt8(4), stream, payload });
      this.#rest = this.#rest.subarray(end);
    }
    this.#wake();
  }

  #over(): void {
    this.ended = true;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
