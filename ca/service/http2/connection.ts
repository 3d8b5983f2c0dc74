import { type CallOptions, Calls } from './calls.ts';
import { ERROR, type ErrorCode, FLAG, type Frame, frame, FRAME, numberFrame, PREFACE } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import { type HeaderBlock, HeaderBlocks } from './header-block.ts';
import { headerDecoder } from './hpack/decoder.ts';
import { IdleFrames } from './idle-frames.ts';
import type { Output } from './output.ts';
import { payloadWithoutPadding } from './padding.ts';
import { ReceiveWindow } from './receive-window.ts';
import { areTrailers, requestHead, type RequestHead } from './request-head.ts';
import { DEFAULT_WINDOW, ownSettings, readSettings } from './settings.ts';
import { ResetStreams } from './reset-streams.ts';

export interface ConnectionOptions extends CallOptions {
  readonly output: Output;
  /** Ends the transport once everything is written. */
  readonly end: () => void;
  /** Whether it is to end after the call that has come. */
  readonly isStale: () => boolean;
  /** Told when a call came that is for others. */
  readonly onOtherCall?: (() => void) | undefined;
  /** Whether our SETTINGS have been sent already. */
  readonly begun: boolean;
}

/** Bytes that a client may have on the way to us, beside what it may from the start. */
const MORE_WINDOW = 1024 * 1024;

/**
 * The server's side of an HTTP/2 connection (RFC 9113) on which only unary calls of one gRPC method are answered. Calls for another method are sent
 * away with GOAWAY, and come again on a connection of their own.
 */
export class UnaryConnection {
  readonly #options: ConnectionOptions;
  readonly #output: Output;
  readonly #reader = new FrameReader();
  readonly #blocks = new HeaderBlocks();
  readonly #decoder = headerDecoder();
  readonly #calls: Calls;
  readonly #idle: IdleFrames;
  readonly #window = new ReceiveWindow(0, DEFAULT_WINDOW);
  readonly #discarding = new ResetStreams();
  /** What must have come before anything else may: the preface, then SETTINGS. */
  #awaited: 'preface' | 'settings' | undefined = 'preface';
  /** The newest stream of the client, and the newest that we took. */
  #newest = 0;
  #taken = 0;
  #goingAway = false;
  /** Whether a frame is being dealt with: what is still to be said to it comes before the end. */
  #taking = false;
  #over = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#output = options.output;
    this.#calls = new Calls(options, options.output, (answered) => {
      if (answered) this.#idle.answered();
      this.#endIfDone();
    });
    this.#idle = new IdleFrames(options.clock);
    if (!options.begun) this.#output.add(ownSettings(options.concurrentStreams));
  }

  /** Whether nothing more is said here. */
  get over(): boolean {
    return this.#over;
  }

  /** Takes what came. */
  receive(chunk: Buffer): void {
    if (this.#over) return;
    this.#reader.push(chunk);
    if (this.#awaited === 'preface') {
      const begins = this.#reader.begins(PREFACE);
      if (begins === undefined) return;
      if (!begins) return this.#fail(ERROR.protocol);
      this.#awaited = 'settings';
    }
    for (let next = this.#reader.next(); next !== undefined; next = this.#reader.next()) {
      this.#taking = true;
      const fault = next === 'too large' ? ERROR.frameSize : this.#take(next);
      this.#taking = false;
      if (fault !== undefined) return this.#fail(fault);
      this.#endIfDone();
      if (this.#over) return;
    }
  }

  /** Asks whether the client is still there; its answer is something received. */
  ping(): void {
    this.#output.add(frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
  }

  /** Takes no more calls, and ends once those that are here are answered. */
  goAway(): void {
    if (this.#goingAway || this.#over) return;
    this.#goingAway = true;
    this.#output.goAway(this.#taken, ERROR.none);
    this.#endIfDone();
  }

  /** To be called when the transport is gone. */
  closed(): void {
    this.#over = true;
    for (const stream of this.#calls.all()) this.#calls.abandon(stream);
  }

  #take(next: Frame): ErrorCode | undefined {
    const expecting = this.#blocks.expecting;
    if (expecting !== undefined && (next.type !== FRAME.continuation || next.stream !== expecting)) return ERROR.protocol;
    if (this.#awaited === 'settings') {
      if (next.type !== FRAME.settings || (next.flags & FLAG.ack) !== 0) return ERROR.protocol;
      this.#awaited = undefined;
      this.#window.widen(MORE_WINDOW, this.#output);
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
        return this.#settings(next);
      case FRAME.ping:
        return this.#ping(next);
      case FRAME.resetStream:
        return this.#reset(next);
      case FRAME.priority:
        return this.#priority(next);
      case FRAME.goAway:
        return next.stream === 0 ? this.#idleFrame() : ERROR.protocol;
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
    if (block === undefined || typeof block === 'number') return block;
    const decoded = this.#decoder.decode(block.bytes);
    if (!decoded.ok && decoded.reason === 'malformed') return ERROR.compression;
    if (block.stream > this.#newest) {
      this.#newest = block.stream;
      if (this.#goingAway) return this.#idleFrame();
      if (!decoded.ok) return this.#resetStream(block.stream, ERROR.enhanceYourCalm);
      const head = block.dependsOn === block.stream ? undefined : requestHead(decoded.fields);
      if (head === undefined) return this.#resetStream(block.stream, ERROR.protocol);
      return this.#begin(block, head);
    }
    const stream = this.#calls.get(block.stream);
    if (stream === undefined) return this.#ignored(block) ? this.#idleFrame() : ERROR.streamClosed;
    if (stream.ended) return this.#resetStream(stream.id, ERROR.streamClosed);
    const trailers = block.endStream && decoded.ok && areTrailers(decoded.fields);
    return trailers && this.#calls.end(stream) ? undefined : this.#resetStream(stream.id, ERROR.protocol);
  }

  #begin({ stream: id, endStream }: HeaderBlock, head: RequestHead): ErrorCode | undefined {
    const { isOurs, isStale } = this.#options;
    if (!isOurs(head)) {
      this.#options.onOtherCall?.();
      this.goAway();
      return undefined;
    }
    if (this.#calls.full) return this.#resetStream(id, ERROR.refusedStream);
    this.#taken = id;
    const stream = this.#calls.begin(id, head);
    if (isStale()) this.goAway();
    if (endStream && !this.#calls.end(stream)) return this.#resetStream(id, ERROR.protocol);
    return undefined;
  }

  #data(next: Frame): ErrorCode | undefined {
    const { stream: id, flags } = next;
    const { length } = next.payload;
    const payload = payloadWithoutPadding(next);
    if (this.#isIdle(id) || payload === undefined) return ERROR.protocol;
    if (!this.#window.take(length)) return ERROR.flowControl;
    this.#window.grant(this.#output);
    const stream = this.#calls.get(id);
    const last = (flags & FLAG.endStream) !== 0;
    if (stream === undefined)
      return this.#ignored({ stream: id, endStream: last }) ? this.#idleFrame() : this.#resetStream(id, ERROR.streamClosed);
    if (stream.ended) return this.#resetStream(id, ERROR.streamClosed);
    if (!stream.receiveWindow.take(length)) return ERROR.flowControl;
    if (!this.#calls.take(stream, payload, last)) return this.#resetStream(id, ERROR.protocol);
    if (!last && stream.closed) this.#discarding.add(id);
    else if (!last) stream.receiveWindow.grant(this.#output);
    return payload.length === 0 && !last ? this.#idleFrame() : undefined;
  }

  /** Ends one stream, and not the connection. */
  #resetStream(id: number, code: ErrorCode): ErrorCode | undefined {
    const stream = this.#calls.get(id);
    this.#output.add(numberFrame(FRAME.resetStream, id, code));
    if (stream?.ended !== true) this.#discarding.add(id);
    if (stream !== undefined) this.#calls.abandon(stream);
    return this.#idleFrame();
  }

  /** Whether no frame but HEADERS and PRIORITY may come on a stream: nobody began it, and even ones are ours to begin (RFC 9113, section 5.1). */
  #isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#newest;
  }

  /** Whether nothing is said to a frame: its stream came after we said that we take no more, or we reset it while the frame was on its way. */
  #ignored({ stream, endStream }: Pick<HeaderBlock, 'stream' | 'endStream'>): boolean {
    return (this.#goingAway && stream > this.#taken) || this.#discarding.goesOn(stream, endStream);
  }

  #windowUpdate({ stream: id, payload }: Frame): ErrorCode | undefined {
    if (payload.length !== 4) return ERROR.frameSize;
    const more = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id !== 0 && this.#isIdle(id)) return ERROR.protocol;
    const { window } = this.#calls;
    if (id === 0) {
      if (more === 0) return ERROR.protocol;
      return window.grantConnection(more) ? this.#idleFrame() : ERROR.flowControl;
    }
    const stream = this.#calls.get(id);
    if (more === 0) return this.#resetStream(id, ERROR.protocol);
    if (stream !== undefined && !window.grant(stream, more)) return this.#resetStream(id, ERROR.flowControl);
    return this.#idleFrame();
  }

  #settings({ stream, flags, payload }: Frame): ErrorCode | undefined {
    if (stream !== 0) return ERROR.protocol;
    if ((flags & FLAG.ack) !== 0) return payload.length === 0 ? this.#idleFrame() : ERROR.frameSize;
    const settings = readSettings(payload);
    if (typeof settings === 'number') return settings;
    if (settings.tableSize) this.#calls.tellTable();
    const { initialWindow } = settings;
    if (initialWindow !== undefined && !this.#calls.window.resize(initialWindow, this.#calls.all())) return ERROR.flowControl;
    this.#output.add(frame(FRAME.settings, FLAG.ack, 0));
    return this.#idleFrame();
  }

  #ping({ stream, flags, payload }: Frame): ErrorCode | undefined {
    if (stream !== 0) return ERROR.protocol;
    if (payload.length !== 8) return ERROR.frameSize;
    if ((flags & FLAG.ack) === 0) this.#output.add(frame(FRAME.ping, FLAG.ack, 0, payload));
    return this.#idleFrame();
  }

  #reset({ stream: id, payload }: Frame): ErrorCode | undefined {
    if (payload.length !== 4) return ERROR.frameSize;
    if (this.#isIdle(id)) return ERROR.protocol;
    const stream = this.#calls.get(id);
    if (stream !== undefined) this.#calls.abandon(stream);
    return this.#idleFrame();
  }

  #priority({ stream, payload }: Frame): ErrorCode | undefined {
    if (payload.length !== 5) return ERROR.frameSize;
    if (stream === 0 || (payload.readUInt32BE(0) & 0x7fff_ffff) === stream) return ERROR.protocol;
    return this.#idleFrame();
  }

  #fail(code: ErrorCode): void {
    this.#output.goAway(this.#taken, code);
    this.closed();
    this.#output.flush();
    this.#options.end();
  }

  #endIfDone(): void {
    if (!this.#goingAway || this.#taking || this.#over || !this.#calls.none) return;
    this.#over = true;
    this.#output.flush();
    this.#options.end();
  }
}
