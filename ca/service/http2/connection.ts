import { status } from '@grpc/grpc-js';
import type { AuthenticatedCall } from '../../tls/peer.ts';
import type { RawCall } from '../call.ts';
import { type FramedMessage, PREFIX } from '../framed.ts';
import type { RpcError } from '../status.ts';
import { errorAnswer } from './answer.ts';
import { ERROR, type ErrorCode, FLAG, type Frame, frame, FRAME, numberFrame, PREFACE } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import { type HeaderBlock, HeaderBlocks } from './header-block.ts';
import { headerDecoder } from './hpack/decoder.ts';
import { IdleFrames } from './idle-frames.ts';
import { payloadWithoutPadding } from './padding.ts';
import { areTrailers, requestHead, type RequestHead } from './request-head.ts';
import { SendWindow } from './send-window.ts';
import { DEFAULT_WINDOW, ownSettings, readSettings } from './settings.ts';
import { bodyOf, soleMessage, type Stream, timeoutMs } from './stream.ts';
import { tooLarge } from './too-large.ts';

/** A unary method on bytes. Never rejects. */
export type UnaryMethod = (call: RawCall) => Promise<FramedMessage | RpcError>;

/** What a connection is made on: bytes in order, both ways. */
export interface Transport {
  write(bytes: Buffer): void;
  /** Ends it once everything is written. */
  end(): void;
  /** Gives it to somebody else, with everything that came so far; nothing more is written. */
  handOver(received: Buffer): void;
}

/** The calls that are answered here. */
export interface UnaryCalls {
  readonly method: UnaryMethod;
  /** Whether a call is one for `method`. All others are for the one who takes connections over. */
  readonly isOurs: (head: RequestHead) => boolean;
  /** Bytes of a message at most. */
  readonly largest: number;
}

export interface ConnectionOptions extends UnaryCalls {
  readonly transport: Transport;
  /** Calls at once, at most. */
  readonly concurrentStreams: number;
  /** Address and port, and the verified certificate, of the other side. */
  readonly peer: string;
  readonly context: ReturnType<AuthenticatedCall['getAuthContext']>;
  /** Whether it is to end after the call that has come. */
  readonly isStale: () => boolean;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** Does something after everything that goes on now: answers that are ready together go out together. */
  readonly afterThis: (task: () => void) => void;
}

/** Bytes that a client may send before it is given more: the connection's, once it is ours, and what it got before. */
const CONNECTION_WINDOW = 1024 * 1024;
const GRANT_STREAM_AT = 16_384;

/**
 * The server's side of an HTTP/2 connection (RFC 9113) on which only unary calls of one gRPC method are answered. Until the first call
 * nothing is said that whoever takes the connection over could not stand for: where that call is for another method, it is handed over.
 * Later calls for another method are sent away with GOAWAY, and come again on a connection of their own.
 */
export class UnaryConnection {
  readonly #options: ConnectionOptions;
  readonly #reader = new FrameReader();
  readonly #blocks = new HeaderBlocks();
  readonly #decoder = headerDecoder();
  readonly #streams = new Map<number, Stream>();
  readonly #window: SendWindow;
  readonly #idle: IdleFrames;
  /** Everything that came, as long as the connection may be handed over. */
  #kept: Buffer[] | undefined = [PREFACE];
  /** Whether it waits only for the client to acknowledge our SETTINGS before it is handed over. */
  #foreign = false;
  #begun = false;
  #peerSettingsSeen = false;
  #settings: 'unsent' | 'sent' | 'acknowledged' = 'unsent';
  #settingsToAcknowledge = 0;
  #tellTable = true;
  /** The newest stream of the client, and the newest that we took. */
  #newest = 0;
  #taken = 0;
  /** Calls that the caller gave up while the method was at work. */
  #abandoned = 0;
  #allowed = DEFAULT_WINDOW;
  #ungranted = 0;
  #goingAway = false;
  #over = false;
  #received = 0;
  #owed: Buffer[] = [];

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#window = new SendWindow(
      (bytes) => this.#owe(bytes),
      (stream) => this.#answered(stream),
    );
    this.#idle = new IdleFrames(options.clock);
  }

  /** How often something came; to tell whether the other side is there. */
  get received(): number {
    return this.#received;
  }

  /** Whether it is still open whose calls these will be. */
  get undecided(): boolean {
    return this.#kept !== undefined && !this.#over;
  }

  /** Waits no longer for the first call. False where the client has not even said that it speaks HTTP/2. */
  giveUp(): boolean {
    if (this.#kept === undefined || this.#over) return true;
    if (!this.#begun || this.#settings === 'sent') return false;
    this.#handOver(this.#kept);
    return true;
  }

  /** Takes what came. */
  receive(chunk: Buffer): void {
    if (this.#over) return;
    this.#received++;
    this.#reader.push(chunk);
    if (!this.#begun) {
      const begins = this.#reader.begins(PREFACE);
      if (begins === undefined) return;
      if (!begins) return this.#fail(ERROR.protocol);
      this.#begun = true;
    }
    for (let next = this.#reader.next(); next !== undefined; next = this.#reader.next()) {
      const fault = next === 'too large' ? ERROR.frameSize : this.#take(next);
      if (fault !== undefined) return this.#fail(fault);
      if (this.#over) return;
    }
    this.#sendSettings();
  }

  /** Asks whether the client is still there; its answer is something received. */
  ping(): void {
    this.#owe(frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
  }

  /** Takes no more calls, and ends once those that are here are answered. */
  goAway(): void {
    if (this.#goingAway || this.#over) return;
    this.#goingAway = true;
    this.#owe(goAwayFrame(this.#taken, ERROR.none));
    this.#endIfDone();
  }

  /** To be called when the transport is gone. */
  closed(): void {
    this.#over = true;
    for (const stream of this.#streams.values()) this.#abandon(stream);
  }

  #take(next: Frame): ErrorCode | undefined {
    const expecting = this.#blocks.expecting;
    if (expecting !== undefined && (next.type !== FRAME.continuation || next.stream !== expecting)) return ERROR.protocol;
    const acknowledgement = next.type === FRAME.settings && (next.flags & FLAG.ack) !== 0;
    if (!this.#peerSettingsSeen && (next.type !== FRAME.settings || acknowledgement)) return ERROR.protocol;
    if (this.#kept !== undefined && !acknowledgement && next.type !== FRAME.ping) {
      if (this.#kept.length > MOST_KEPT) return ERROR.enhanceYourCalm;
      this.#kept.push(frame(next.type, next.flags, next.stream, next.payload));
    }
    if (this.#foreign) {
      if (acknowledgement) this.#handOver(this.#kept ?? []);
      return undefined;
    }
    switch (next.type) {
      case FRAME.data:
        return this.#data(next);
      case FRAME.headers:
      case FRAME.continuation:
        return this.#headers(next);
      case FRAME.windowUpdate:
        return this.#windowUpdate(next);
      case FRAME.settings:
        return this.#peerSettings(next);
      case FRAME.ping:
        return this.#ping(next);
      case FRAME.resetStream:
        return this.#reset(next);
      case FRAME.priority:
        return this.#priority(next);
      case FRAME.goAway:
        if (next.stream !== 0) return ERROR.protocol;
        this.#goingAway = true;
        this.#endIfDone();
        return undefined;
      case FRAME.pushPromise:
        return ERROR.protocol;
      default:
        return this.#idleFrame();
    }
  }

  #idleFrame(): ErrorCode | undefined {
    return this.#idle.spend() ? undefined : ERROR.enhanceYourCalm;
  }

  #headers(next: Frame): ErrorCode | undefined {
    if (next.stream % 2 === 0) return ERROR.protocol;
    const block = this.#blocks.take(next);
    if (block === undefined) return undefined;
    if (block === 'protocol') return ERROR.protocol;
    if (block === 'too large') return ERROR.enhanceYourCalm;
    const decoded = this.#decoder.decode(block.bytes);
    if (!decoded.ok && decoded.reason === 'malformed') return ERROR.compression;
    if (block.stream > this.#newest) {
      this.#newest = block.stream;
      if (this.#goingAway) return undefined;
      if (!decoded.ok) return this.#refuseStream(block.stream, ERROR.enhanceYourCalm);
      const head = block.dependsOn === block.stream ? undefined : requestHead(decoded.fields);
      if (head === undefined) return this.#refuseStream(block.stream, ERROR.protocol);
      return this.#open(block, head);
    }
    const stream = this.#streams.get(block.stream);
    if (stream === undefined) return this.#ignored(block.stream) ? undefined : ERROR.streamClosed;
    if (stream.ended) return this.#refuseStream(stream.id, ERROR.streamClosed);
    if (!block.endStream || !decoded.ok || !areTrailers(decoded.fields)) return this.#refuseStream(stream.id, ERROR.protocol);
    this.#ended(stream);
    return undefined;
  }

  #open(block: HeaderBlock, head: RequestHead): ErrorCode | undefined {
    const { isOurs, concurrentStreams, clock, isStale } = this.#options;
    if (!isOurs(head)) {
      if (this.#kept === undefined) this.goAway();
      else if (this.#settings === 'sent') this.#foreign = true;
      else this.#handOver(this.#kept);
      return undefined;
    }
    this.#decided();
    if (this.#streams.size + this.#abandoned >= concurrentStreams) return this.#refuseStream(block.stream, ERROR.refusedStream);
    this.#taken = block.stream;
    const timeout = timeoutMs(head);
    const stream: Stream = {
      id: block.stream,
      head,
      deadline: timeout === Infinity ? Infinity : clock() + timeout,
      parts: [],
      length: 0,
      ungranted: 0,
      sendWindow: this.#window.initial,
      ended: false,
      closed: false,
      onGivingUp: undefined,
    };
    this.#streams.set(stream.id, stream);
    if (isStale()) this.goAway();
    if (block.endStream) this.#ended(stream);
    return undefined;
  }

  /** From now on the connection is ours. */
  #decided(): void {
    if (this.#kept === undefined) return;
    this.#kept = undefined;
    this.#acknowledge();
    this.#allowed += CONNECTION_WINDOW;
    this.#owe(numberFrame(FRAME.windowUpdate, 0, CONNECTION_WINDOW));
  }

  #acknowledge(): void {
    for (; this.#settingsToAcknowledge > 0; this.#settingsToAcknowledge--) this.#owe(frame(FRAME.settings, FLAG.ack, 0));
  }

  #data(next: Frame): ErrorCode | undefined {
    const { length } = next.payload;
    const payload = payloadWithoutPadding(next);
    if (next.stream === 0 || next.stream > this.#newest || payload === undefined) return ERROR.protocol;
    this.#ungranted += length;
    if (this.#ungranted > this.#allowed) return ERROR.flowControl;
    if (this.#ungranted > this.#allowed / 2) {
      this.#owe(numberFrame(FRAME.windowUpdate, 0, this.#ungranted));
      this.#ungranted = 0;
    }
    const stream = this.#streams.get(next.stream);
    if (stream === undefined) return this.#ignored(next.stream) ? undefined : this.#refuseStream(next.stream, ERROR.streamClosed);
    if (stream.ended) return this.#refuseStream(stream.id, ERROR.streamClosed);
    stream.ungranted += length;
    if (stream.ungranted > DEFAULT_WINDOW) return ERROR.flowControl;
    const endStream = (next.flags & FLAG.endStream) !== 0;
    if (payload.length > 0) stream.parts.push(payload);
    stream.length += payload.length;
    if (stream.length > PREFIX + this.#options.largest) {
      this.#refuse(stream, tooLarge(bodyOf(stream)));
      this.#owe(numberFrame(FRAME.resetStream, stream.id, ERROR.none));
    } else if (endStream) this.#ended(stream);
    else if (stream.ungranted >= GRANT_STREAM_AT) {
      this.#owe(numberFrame(FRAME.windowUpdate, stream.id, stream.ungranted));
      stream.ungranted = 0;
    } else if (payload.length === 0) return this.#idleFrame();
    return undefined;
  }

  #ended(stream: Stream): void {
    stream.ended = true;
    const { contentLength } = stream.head;
    if (contentLength !== undefined && contentLength !== stream.length) {
      this.#refuseStream(stream.id, ERROR.protocol);
      return;
    }
    const message = soleMessage(bodyOf(stream));
    stream.parts.length = 0;
    if (message === undefined) {
      this.#refuse(stream, { code: status.INTERNAL, details: 'the request is not exactly one uncompressed message' });
      return;
    }
    void this.#options.method(this.#callOn(stream, message)).then((given) => {
      if (stream.closed) this.#abandoned--;
      else if ('bytes' in given) this.#window.send(stream, given, this.#tableToTell());
      else this.#refuse(stream, given);
    });
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
    this.#owe(errorAnswer(stream.id, error, this.#tableToTell()));
    this.#answered(stream);
  }

  #answered(stream: Stream): void {
    stream.closed = true;
    this.#streams.delete(stream.id);
    this.#idle.answered();
    this.#endIfDone();
  }

  /** A stream on which the method may be at work, and nobody waits for it. */
  #abandon(stream: Stream): void {
    if (stream.ended) this.#abandoned++;
    stream.closed = true;
    this.#streams.delete(stream.id);
    this.#window.forget(stream);
    stream.onGivingUp?.();
  }

  #refuseStream(id: number, code: ErrorCode): ErrorCode | undefined {
    this.#decided();
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#abandon(stream);
    this.#owe(numberFrame(FRAME.resetStream, id, code));
    this.#endIfDone();
    return this.#idleFrame();
  }

  /** Streams that came after we said that we take no more. */
  #ignored(id: number): boolean {
    return this.#goingAway && id > this.#taken;
  }

  #windowUpdate({ stream: id, payload }: Frame): ErrorCode | undefined {
    if (payload.length !== 4) return ERROR.frameSize;
    const more = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id > this.#newest) return ERROR.protocol;
    if (id === 0) {
      if (more === 0) return ERROR.protocol;
      return this.#window.grantConnection(more) ? this.#idleFrame() : ERROR.flowControl;
    }
    const stream = this.#streams.get(id);
    if (more === 0) return this.#refuseStream(id, ERROR.protocol);
    if (stream !== undefined && !this.#window.grant(stream, more)) return this.#refuseStream(id, ERROR.flowControl);
    return this.#idleFrame();
  }

  #peerSettings({ stream, flags, payload }: Frame): ErrorCode | undefined {
    if (stream !== 0) return ERROR.protocol;
    if ((flags & FLAG.ack) !== 0) {
      if (payload.length !== 0) return ERROR.frameSize;
      this.#settings = 'acknowledged';
      return this.#idleFrame();
    }
    const settings = readSettings(payload);
    if (settings === 'frame size') return ERROR.frameSize;
    if (settings === 'protocol') return ERROR.protocol;
    if (settings === 'flow control') return ERROR.flowControl;
    this.#peerSettingsSeen = true;
    if (settings.tableSize) this.#tellTable = true;
    if (settings.initialWindow !== undefined && !this.#window.resize(settings.initialWindow, this.#streams.values()))
      return ERROR.flowControl;
    this.#settingsToAcknowledge++;
    if (this.#kept === undefined) this.#acknowledge();
    return this.#idleFrame();
  }

  #ping({ stream, flags, payload }: Frame): ErrorCode | undefined {
    if (stream !== 0) return ERROR.protocol;
    if (payload.length !== 8) return ERROR.frameSize;
    if ((flags & FLAG.ack) === 0) this.#owe(frame(FRAME.ping, FLAG.ack, 0, payload));
    return this.#idleFrame();
  }

  #reset({ stream: id, payload }: Frame): ErrorCode | undefined {
    if (payload.length !== 4) return ERROR.frameSize;
    if (id === 0 || id > this.#newest) return ERROR.protocol;
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#abandon(stream);
    this.#endIfDone();
    return this.#idleFrame();
  }

  #priority({ stream, payload }: Frame): ErrorCode | undefined {
    if (payload.length !== 5) return ERROR.frameSize;
    if (stream === 0 || (payload.readUInt32BE(0) & 0x7fff_ffff) === stream) return ERROR.protocol;
    return this.#idleFrame();
  }

  #handOver(kept: readonly Buffer[]): void {
    this.#over = true;
    this.#options.transport.handOver(Buffer.concat([...kept, this.#reader.rest()]));
  }

  #fail(code: ErrorCode): void {
    this.#owe(goAwayFrame(this.#taken, code));
    this.closed();
    this.#flush();
    this.#options.transport.end();
  }

  #endIfDone(): void {
    if (!this.#goingAway || this.#over || this.#streams.size > 0) return;
    this.#over = true;
    this.#flush();
    this.#options.transport.end();
  }

  /** The first frame of ours (RFC 9113, section 3.4), sent with the answer to what came first, or with nothing. */
  #sendSettings(): void {
    if (this.#settings !== 'unsent') return;
    this.#settings = 'sent';
    this.#owe(ownSettings(this.#options.concurrentStreams));
  }

  #owe(bytes: Buffer): void {
    this.#sendSettings();
    this.#owed.push(bytes);
    if (this.#owed.length === 1) this.#options.afterThis(() => this.#flush());
  }

  #flush(): void {
    const [first] = this.#owed;
    if (first === undefined) return;
    const bytes = this.#owed.length === 1 ? first : Buffer.concat(this.#owed);
    this.#owed = [];
    this.#options.transport.write(bytes);
  }
}

function goAwayFrame(last: number, code: ErrorCode): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(last, 0);
  payload.writeUInt32BE(code, 4);
  return frame(FRAME.goAway, 0, 0, payload);
}

/** Frames at most before the first call. */
const MOST_KEPT = 64;
