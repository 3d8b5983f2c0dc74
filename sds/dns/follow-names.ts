import { create } from '@bufbuild/protobuf';
import { type Client, type ClientDuplexStream, Metadata, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type FollowRequest, FollowRequestSchema, type FollowResponse, Names } from '#gen/gatehouse/names/v1/names_pb.js';
import { type AuthorityAddress, connect } from '../authority/client.ts';
import type { Random, Timers } from '../clock.ts';
import { rpc } from '../grpc.ts';
import type { Svid } from '../identity/accept.ts';
import type { KnownNames, NameSource } from './known-names.ts';

const FOLLOW = rpc(Names.method.follow);

export interface NamesFollowerOptions {
  /** Asked anew for each connection. */
  readonly address: () => AuthorityAddress;
  readonly rootsPem: () => string | undefined;
  readonly svids: () => readonly Svid[];
  readonly known: KnownNames;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

type Stream = ClientDuplexStream<FollowRequest, FollowResponse>;

const FIRST_MS = 200;
const CEILING_MS = 5_000;
/** A control plane that does not know this service will hardly learn it within seconds. */
const STRANGER_MS = 60_000;
const NO_CERTIFICATE_MS = 250;

/** Follows names at the control plane over one stream, again and again: after a connection was lost, all of them anew. */
export class NamesFollower implements NameSource {
  readonly #options: NamesFollowerOptions;
  #client: Client | undefined;
  #stream: Stream | undefined;
  #failures = 0;
  #next = 0;
  #stopped = false;
  #cancel: () => void = () => {};

  constructor(options: NamesFollowerOptions) {
    this.#options = options;
  }

  get live(): boolean {
    return this.#stream !== undefined;
  }

  start(): void {
    this.#options.known.askFrom(this);
    this.#open();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#stream?.cancel();
    this.#client?.close();
  }

  follow(names: readonly string[]): void {
    this.#stream?.write(create(FollowRequestSchema, { names: [...names] }));
  }

  drop(dropped: readonly string[]): void {
    this.#stream?.write(create(FollowRequestSchema, { dropped: [...dropped] }));
  }

  #open(): void {
    if (this.#stopped) return;
    const { address, rootsPem, svids, known } = this.#options;
    const valid = svids().filter(({ notAfter }) => notAfter > Date.now());
    const [client, roots] = [valid[this.#next % Math.max(1, valid.length)], rootsPem()];
    if (client === undefined || roots === undefined) return this.#later(NO_CERTIFICATE_MS);
    const connected = connect(address(), { rootsPem: roots, client }, { 'grpc.keepalive_time_ms': 10_000 });
    if (connected.kind === 'failed') return this.#failed(status.INTERNAL, connected.reason);
    this.#client = connected.client;
    const stream = connected.client.makeBidiStreamRequest(
      FOLLOW.path,
      FOLLOW.requestSerialize,
      FOLLOW.responseDeserialize,
      new Metadata(),
    );
    this.#stream = stream;
    stream.on('data', ({ answers }: FollowResponse) => {
      this.#failures = 0;
      for (const { name, known: isKnown, addresses } of answers) known.said(name, isKnown ? addresses : undefined);
    });
    stream.on('error', (error: Error & { readonly code?: status }) => {
      if (stream === this.#stream) this.#failed(error.code ?? status.UNKNOWN, error.message);
    });
    stream.on('end', () => {
      if (stream === this.#stream) this.#failed(status.UNAVAILABLE, 'the control plane ended the stream');
    });
    this.follow(known.names);
  }

  #failed(code: status, reason: string): void {
    this.#stream = undefined;
    this.#client?.close();
    this.#client = undefined;
    this.#failures += 1;
    this.#next += 1;
    this.#options.log.debug({ code: status[code], reason }, 'names of the mesh are not followed; trying again');
    const ceiling =
      code === status.UNIMPLEMENTED ? STRANGER_MS : Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#later(ceiling / 2 + (ceiling / 2) * this.#options.random());
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    this.#cancel();
    this.#cancel = this.#options.timers.after(ms, () => this.#open());
  }
}
