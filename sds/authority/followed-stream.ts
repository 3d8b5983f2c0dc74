import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf';
import { type Client, type ClientDuplexStream, Metadata, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Random, Timers } from '../clock.ts';
import { rpc } from '../grpc.ts';
import type { Svid } from '../identity/accept.ts';
import { type AuthorityAddress, connect } from './client.ts';

/** How an agent reaches the control plane to follow something there, and as whom. */
export interface FollowerOptions {
  /** Asked anew for each connection. */
  readonly address: () => AuthorityAddress;
  readonly rootsPem: () => string | undefined;
  /** Certificates of which any will do: what is followed is no secret, but its receiver is known. */
  readonly svids: () => readonly Svid[];
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

/** What is followed. */
interface Followed<I extends DescMessage, O extends DescMessage> {
  readonly method: DescMethod & { readonly input: I; readonly output: O };
  /** For the log. */
  readonly lost: string;
  /** The answers of a control plane that does not know it. */
  readonly unknown: readonly status[];
  /** Writes what it asks for. */
  readonly onOpen: () => void;
  /** @param isOver whether the stream that it came on is the open one no more */
  readonly onResponse: (response: MessageShape<O>, isOver: () => boolean) => void;
  /** @param svid which was shown */
  readonly onFailed?: (code: status, reason: string, svid: Svid) => void;
}

const FIRST_MS = 200;
const CEILING_MS = 5_000;
/** A control plane that does not know a service will hardly learn it within seconds. */
const STRANGER_MS = 60_000;
const NO_CERTIFICATE_MS = 250;

/** One stream to the control plane, opened again and again until it is stopped. */
export class FollowedStream<I extends DescMessage, O extends DescMessage> {
  readonly #options: FollowerOptions;
  readonly #followed: Followed<I, O>;
  #client: Client | undefined;
  #stream: ClientDuplexStream<MessageShape<I>, MessageShape<O>> | undefined;
  #failures = 0;
  /** Which certificate is tried next: one of many may be refused. */
  #next = 0;
  #stopped = false;
  #cancel: () => void = () => {};

  constructor(options: FollowerOptions, followed: Followed<I, O>) {
    this.#options = options;
    this.#followed = followed;
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  start(): void {
    this.#open();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#stream?.cancel();
    this.#client?.close();
  }

  /** Nothing, while no stream is open. */
  write(request: MessageShape<I>): void {
    this.#stream?.write(request);
  }

  /** The next failure is the first. */
  succeeded(): void {
    this.#failures = 0;
  }

  #open(): void {
    if (this.#stopped) return;
    const { address, rootsPem, svids } = this.#options;
    const valid = svids().filter(({ notAfter }) => notAfter > Date.now());
    const [svid, roots] = [valid[this.#next % Math.max(1, valid.length)], rootsPem()];
    if (svid === undefined || roots === undefined) return this.#later(NO_CERTIFICATE_MS);
    const connected = connect(address(), { rootsPem: roots, client: svid }, { 'grpc.keepalive_time_ms': 10_000 });
    if (connected.kind === 'failed') return this.#failed(status.INTERNAL, connected.reason, svid);
    this.#client = connected.client;
    const { path, requestSerialize, responseDeserialize } = rpc(this.#followed.method);
    const stream = connected.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
    this.#stream = stream;
    const isOver = (): boolean => stream !== this.#stream || this.#stopped;
    stream.on('data', (response: MessageShape<O>) => this.#followed.onResponse(response, isOver));
    stream.on('error', (error: Error & { readonly code?: status }) => {
      if (stream === this.#stream) this.#failed(error.code ?? status.UNKNOWN, error.message, svid);
    });
    stream.on('end', () => {
      if (stream === this.#stream) this.#failed(status.UNAVAILABLE, 'the control plane ended the stream', svid);
    });
    this.#followed.onOpen();
  }

  #failed(code: status, reason: string, svid: Svid): void {
    const { lost, unknown, onFailed } = this.#followed;
    this.#stream = undefined;
    this.#client?.close();
    this.#client = undefined;
    onFailed?.(code, reason, svid);
    this.#failures += 1;
    this.#next += 1;
    this.#options.log.debug({ code: status[code], reason }, lost);
    const ceiling = unknown.includes(code) ? STRANGER_MS : Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#later(ceiling / 2 + (ceiling / 2) * this.#options.random());
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    this.#cancel();
    this.#cancel = this.#options.timers.after(ms, () => this.#open());
  }
}
