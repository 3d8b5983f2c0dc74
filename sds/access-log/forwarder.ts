import { type Client, type ClientDuplexStream, Metadata, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { LogRelay, type RelayResponse } from '#gen/gatehouse/log/v1/relay_pb.js';
import { type AuthorityAddress, connect } from '../authority/client.ts';
import type { Random, Timers } from '../clock.ts';
import { rpc } from '../grpc.ts';
import type { Svid } from '../identity/accept.ts';
import type { LogQueue } from './queue.ts';
import { requestBytes } from './wire.ts';

const RELAY = rpc(LogRelay.method.relay);

export interface ForwarderOptions {
  readonly address: AuthorityAddress;
  readonly rootsPem: () => string | undefined;
  /** The certificate of the workload whose log it is. */
  readonly svid: () => Svid | undefined;
  /** In the order in which they are to go. */
  readonly queues: () => readonly LogQueue[];
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

type Stream = ClientDuplexStream<Buffer, RelayResponse>;

/** Bytes of one request, and of all that were not acknowledged: what is on its way is what a lost connection costs. */
const REQUEST_BYTES = 64 * 1024;
const MOST_IN_FLIGHT = 4 * 1024 * 1024;
const GATHER_MS = 20;
const FIRST_MS = 100;
const CEILING_MS = 3_000;
/** A control plane that does not know this service will hardly learn it within seconds. */
const STRANGER_MS = 60_000;
const NO_CERTIFICATE_MS = 250;
/** A connection that nothing is sent on is given up: most proxies of a mesh are idle. */
const IDLE_MS = 60_000;

/** Sends queues to the control plane, while there is something in them, and forgets what it acknowledges. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #client: Client | undefined;
  #stream: Stream | undefined;
  #blocked = false;
  #failures = 0;
  #gathering = false;
  #stopped = false;
  /** Set while it waits to try again, or to close what is idle. */
  #cancel: (() => void) | undefined;
  /** Told when all was handed over, or cannot be. */
  #onSettled: () => void = () => {};

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** To be called when there is something to send. It goes a moment later, together with what else comes. */
  wake(): void {
    if (this.#stopped || this.#gathering) return;
    this.#gathering = true;
    this.#options.timers.after(GATHER_MS, () => {
      this.#gathering = false;
      this.#go();
    });
  }

  /** Waits for the queues to become empty, at most so long and if the control plane is there, then hangs up. */
  async stop(patienceMs: number): Promise<void> {
    this.#go();
    if (!this.#isEmpty() && this.#failures === 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.timers.after(patienceMs, resolve);
        this.#onSettled = () => {
          cancel();
          resolve();
        };
      });
    }
    this.#stopped = true;
    this.#cancel?.();
    this.#hangUp();
  }

  #go(): void {
    if (this.#stopped) return;
    if (this.#stream !== undefined) this.#pump(this.#stream);
    else if (this.#cancel === undefined) this.#open();
  }

  #isEmpty(): boolean {
    return this.#options.queues().every((queue) => queue.isEmpty);
  }

  #open(): void {
    const { address, rootsPem, svid, queues } = this.#options;
    const [client, roots] = [svid(), rootsPem()];
    if (client === undefined || roots === undefined) return this.#later(NO_CERTIFICATE_MS);
    const connected = connect(address, { rootsPem: roots, client }, { 'grpc.keepalive_time_ms': 10_000 });
    if (connected.kind === 'failed') return this.#failed(status.INTERNAL, connected.reason);
    for (const queue of queues()) queue.rewind();
    this.#client = connected.client;
    const stream = connected.client.makeBidiStreamRequest(
      RELAY.path,
      (bytes: Buffer) => bytes,
      RELAY.responseDeserialize,
      new Metadata(),
    );
    this.#stream = stream;
    this.#blocked = false;
    stream.on('data', (response: RelayResponse) => {
      if (stream === this.#stream) this.#stored(stream, response);
    });
    stream.on('drain', () => {
      this.#blocked = false;
      if (stream === this.#stream) this.#pump(stream);
    });
    stream.on('error', (error: Error & { readonly code?: status }) => {
      if (stream === this.#stream) this.#failed(error.code ?? status.UNKNOWN, error.message);
    });
    stream.on('end', () => {
      if (stream === this.#stream) this.#failed(status.UNAVAILABLE, 'the control plane ended the stream');
    });
    this.#pump(stream);
  }

  #pump(stream: Stream): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const queue of this.#options.queues()) {
      while (!this.#blocked && queue.inFlight < MOST_IN_FLIGHT) {
        const messages = queue.take(REQUEST_BYTES);
        if (messages.length === 0) break;
        this.#blocked = !stream.write(requestBytes(queue.source, messages));
      }
    }
    if (!this.#isEmpty()) return;
    this.#onSettled();
    this.#cancel = this.#options.timers.after(IDLE_MS, () => {
      this.#cancel = undefined;
      this.#hangUp();
    });
  }

  #stored(stream: Stream, { source, stored }: RelayResponse): void {
    this.#failures = 0;
    for (const queue of this.#options.queues()) if (queue.source === source) queue.acknowledge(Number(stored));
    this.#pump(stream);
  }

  #hangUp(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.end();
    this.#client?.close();
    this.#client = undefined;
  }

  #failed(code: status, reason: string): void {
    this.#hangUp();
    this.#onSettled();
    this.#failures += 1;
    this.#options.log.debug({ code: status[code], reason }, 'the access log waits for the control plane');
    const ceiling =
      code === status.UNIMPLEMENTED ? STRANGER_MS : Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#later(ceiling / 2 + (ceiling / 2) * this.#options.random());
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    this.#cancel?.();
    this.#cancel = this.#options.timers.after(ms, () => {
      this.#cancel = undefined;
      // Whatever came while it was away.
      if (!this.#isEmpty()) this.#open();
    });
  }
}
