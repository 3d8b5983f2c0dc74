import { hostname } from 'node:os';
import { create } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { AggregatedDiscoveryService } from '#gen/envoy/service/discovery/v3/ads_pb.js';
import { DiscoveryRequestSchema, type DiscoveryResponse } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import { FollowedStream, type FollowerOptions } from '../authority/followed-stream.ts';
import type { Svid } from '../identity/accept.ts';
import { SECRET_TYPE, TRUST_ROOTS } from '../secret/secret.ts';
import { isListed, saysRevoked } from './revoked.ts';
import { type TrustContext, trustContext } from './trust-context.ts';

const STREAM = AggregatedDiscoveryService.method.streamAggregatedResources;

export interface TrustFollowerOptions extends FollowerOptions {
  readonly trustDomain: TrustDomain;
  /** Puts a bundle into force; resolves when all who use it have it, or with why it cannot be used. */
  readonly take: (pem: string) => Promise<Parsed<unknown>>;
  /** What else came with it. */
  readonly onTrust: (trust: TrustContext) => void;
  /** Whether what was last taken is being kept up to date. */
  readonly onLive: (live: boolean) => void;
  /** A certificate in hand was revoked: nobody takes it any more. May be told again. */
  readonly onRevoked: (svid: Svid) => void;
}

/**
 * Follows the trust bundle of the control plane over one ADS stream, and acknowledges a bundle when it is in force: so the
 * control plane knows when a new root may sign.
 */
export class TrustFollower {
  readonly #options: TrustFollowerOptions;
  readonly #stream: FollowedStream<typeof STREAM.input, typeof STREAM.output>;

  constructor(options: TrustFollowerOptions) {
    this.#options = options;
    const node = { id: `agent~${nodeName()}` };
    this.#stream = new FollowedStream(options, {
      method: STREAM,
      lost: 'the trust bundle is not followed; trying again',
      unknown: [status.UNIMPLEMENTED, status.INVALID_ARGUMENT],
      onOpen: () =>
        this.#stream.write(create(DiscoveryRequestSchema, { node, typeUrl: SECRET_TYPE, resourceNames: [TRUST_ROOTS] })),
      onResponse: (response, isOver) => void this.#receive(response, isOver),
      onFailed: (code, reason, svid) => {
        if (code === status.UNAUTHENTICATED && saysRevoked(reason)) options.onRevoked(svid);
        options.onLive(false);
      },
    });
  }

  start(): void {
    this.#stream.start();
  }

  stop(): void {
    this.#stream.stop();
  }

  async #receive(response: DiscoveryResponse, isOver: () => boolean): Promise<void> {
    const { take, onLive, log } = this.#options;
    const trust = trustContext(response, this.#options.trustDomain);
    const { own: pem, crl } = trust;
    if (crl !== undefined)
      for (const svid of this.#options.svids()) if (isListed(crl, svid.serial)) this.#options.onRevoked(svid);
    const taken = pem === undefined ? { ok: false as const, reason: 'there is no ROOTCA with roots in it' } : await take(pem);
    if (taken.ok) this.#options.onTrust(trust);
    if (isOver()) return;
    this.#stream.succeeded();
    onLive(taken.ok);
    if (!taken.ok) log.error({ reason: taken.reason }, "the control plane's trust bundle cannot be used");
    this.#stream.write(
      create(DiscoveryRequestSchema, {
        typeUrl: SECRET_TYPE,
        resourceNames: [TRUST_ROOTS],
        responseNonce: response.nonce,
        // A NACK names the version before; there is none to name here.
        ...(taken.ok ? { versionInfo: response.versionInfo } : { errorDetail: { code: 3, message: taken.reason } }),
      }),
    );
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
