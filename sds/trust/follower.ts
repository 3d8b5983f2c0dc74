import { hostname } from 'node:os';
import { create } from '@bufbuild/protobuf';
import { type Client, type ClientDuplexStream, Metadata, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { AggregatedDiscoveryService } from '#gen/envoy/service/discovery/v3/ads_pb.js';
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
} from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import { type AuthorityAddress, connect } from '../authority/client.ts';
import type { Random, Timers } from '../clock.ts';
import { rpc } from '../grpc.ts';
import type { Svid } from '../identity/accept.ts';
import { SECRET_TYPE, TRUST_ROOTS } from '../secret/secret.ts';
import { isListed, saysRevoked } from './revoked.ts';
import { type TrustContext, trustContext } from './trust-context.ts';

const STREAM = rpc(AggregatedDiscoveryService.method.streamAggregatedResources);

export interface FollowerOptions {
  /** Asked anew for each connection. */
  readonly address: () => AuthorityAddress;
  readonly rootsPem: () => string | undefined;
  /** Certificates of which any will do: a bundle is public, but its receiver is known. */
  readonly svids: () => readonly Svid[];
  readonly trustDomain: TrustDomain;
  /** Puts a bundle into force; resolves when all who use it have it, or with why it cannot be used. */
  readonly take: (pem: string) => Promise<Parsed<unknown>>;
  /** What else came with it. */
  readonly onTrust: (trust: TrustContext) => void;
  /** Whether what was last taken is being kept up to date. */
  readonly onLive: (live: boolean) => void;
  /** A certificate in hand was revoked: nobody takes it any more. May be told again. */
  readonly onRevoked: (svid: Svid) => void;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

type Stream = ClientDuplexStream<DiscoveryRequest, DiscoveryResponse>;

const FIRST_MS = 200;
const CEILING_MS = 5_000;
/** A control plane that does not know agents will hardly learn it within seconds. */
const STRANGER_MS = 60_000;
const NO_CERTIFICATE_MS = 250;
const STRANGERS: readonly number[] = Object.freeze([status.UNIMPLEMENTED, status.INVALID_ARGUMENT]);

/**
 * Follows the trust bundle of the control plane over one ADS stream, and acknowledges a bundle when it is in force: so the
 * control plane knows when a new root may sign.
 */
export class TrustFollower {
  readonly #options: FollowerOptions;
  readonly #node = `agent~${nodeName()}`;
  #client: Client | undefined;
  #stream: Stream | undefined;
  #failures = 0;
  /** Which certificate is tried next: one of many may be refused. */
  #next = 0;
  #stopped = false;
  #cancel: () => void = () => {};

  constructor(options: FollowerOptions) {
    this.#options = options;
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

  #open(): void {
    if (this.#stopped) return;
    const { address, rootsPem, svids } = this.#options;
    const valid = svids().filter(({ notAfter }) => notAfter > Date.now());
    const [client, roots] = [valid[this.#next % Math.max(1, valid.length)], rootsPem()];
    if (client === undefined || roots === undefined) return this.#later(NO_CERTIFICATE_MS);
    const connected = connect(address(), { rootsPem: roots, client }, { 'grpc.keepalive_time_ms': 10_000 });
    if (connected.kind === 'failed') return this.#failed(status.INTERNAL, connected.reason);
    this.#client = connected.client;
    const stream = connected.client.makeBidiStreamRequest(
      STREAM.path,
      STREAM.requestSerialize,
      STREAM.responseDeserialize,
      new Metadata(),
    );
    this.#stream = stream;
    stream.on('data', (response: DiscoveryResponse) => void this.#receive(stream, response));
    stream.on('error', (error: Error & { readonly code?: status }) => {
      if (stream !== this.#stream) return;
      if (error.code === status.UNAUTHENTICATED && saysRevoked(error.message)) this.#options.onRevoked(client);
      this.#failed(error.code ?? status.UNKNOWN, error.message);
    });
    stream.on('end', () => {
      if (stream === this.#stream) this.#failed(status.UNAVAILABLE, 'the control plane ended the stream');
    });
    stream.write(
      create(DiscoveryRequestSchema, { node: { id: this.#node }, typeUrl: SECRET_TYPE, resourceNames: [TRUST_ROOTS] }),
    );
  }

  async #receive(stream: Stream, response: DiscoveryResponse): Promise<void> {
    const { take, onLive, log } = this.#options;
    const trust = trustContext(response, this.#options.trustDomain);
    const { own: pem, crl } = trust;
    if (crl !== undefined)
      for (const svid of this.#options.svids()) if (isListed(crl, svid.serial)) this.#options.onRevoked(svid);
    const taken = pem === undefined ? { ok: false as const, reason: 'there is no ROOTCA with roots in it' } : await take(pem);
    if (taken.ok) this.#options.onTrust(trust);
    if (stream !== this.#stream || this.#stopped) return;
    this.#failures = 0;
    onLive(taken.ok);
    if (!taken.ok) log.error({ reason: taken.reason }, "the control plane's trust bundle cannot be used");
    stream.write(
      create(DiscoveryRequestSchema, {
        typeUrl: SECRET_TYPE,
        resourceNames: [TRUST_ROOTS],
        responseNonce: response.nonce,
        // A NACK names the version before; there is none to name here.
        ...(taken.ok ? { versionInfo: response.versionInfo } : { errorDetail: { code: 3, message: taken.reason } }),
      }),
    );
  }

  #failed(code: status, reason: string): void {
    this.#stream = undefined;
    this.#client?.close();
    this.#client = undefined;
    this.#options.onLive(false);
    this.#failures += 1;
    this.#next += 1;
    this.#options.log.debug({ code: status[code], reason }, 'the trust bundle is not followed; trying again');
    const ceiling = STRANGERS.includes(code) ? STRANGER_MS : Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#later(ceiling / 2 + (ceiling / 2) * this.#options.random());
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    this.#cancel();
    this.#cancel = this.#options.timers.after(ms, () => this.#open());
  }
}

/** Tells one agent process from another; nothing is decided by it. */
function nodeName(): string {
  const host = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 200);
  return `${host === '' ? 'agent' : host}.${String(process.pid)}`;
}
