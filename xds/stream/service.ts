import { Metadata, type Server, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { AggregatedDiscoveryService } from '#gen/envoy/service/discovery/v3/ads_pb.js';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { bytesRpc } from '../../ca/service/rpc.ts';
import type { TypeUrl } from '../resource-set.ts';
import type { Variant } from '../subscription/event.ts';
import type { Holding } from './holdings.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import type { ResourceSource } from './source.ts';
import type { StreamStatus } from './status.ts';
import { type DiscoveryCall, DiscoveryStream } from './stream.ts';
import { systemTimers, type Timers } from './timers.ts';
import { type DiscoveryObserver, NO_OBSERVER } from './traffic.ts';
import { Turns } from './turns.ts';

export type { Holding } from './holdings.ts';
export type { StreamStatus } from './status.ts';
export type { DiscoveryCall } from './stream.ts';

/**
 * Who is at the other end, by its client certificate; a refusal ends the call with UNAUTHENTICATED. Undefined: nobody is known, and the
 * node id alone is believed.
 */
export type Authenticate = (call: DiscoveryCall) => Parsed<SpiffeId | undefined>;

/** Who is at the other end, by a token that came with the call: what holds for the stream from then on. Istio's agents have no other evidence. */
export type AuthenticateByToken = (call: DiscoveryCall) => Promise<Parsed<Authenticate>>;

export interface DiscoveryServiceOptions {
  readonly source: ResourceSource;
  readonly authenticate: Authenticate;
  /** For calls that `authenticate` refuses and that bring a token; absent: tokens do not count. */
  readonly byToken?: AuthenticateByToken | undefined;
  readonly log: Logger;
  readonly clock?: () => Date;
  readonly timers?: Timers;
  readonly limits?: Partial<Limits>;
  readonly observer?: DiscoveryObserver;
}

export interface DiscoveryService {
  /** One for each connected stream that has named its node. */
  streams(): readonly StreamStatus[];
  /** What a pod's newest stream is told of these types; undefined when it has no stream. */
  holdings(namespace: string, pod: string, types: readonly TypeUrl[]): readonly Holding[] | undefined;
  /** The oldest snapshot that a connected proxy has accepted last; undefined when none is connected. */
  oldestAccepted(): number | undefined;
  /** Serves the same on another server, whose callers are authenticated in another way. */
  alsoOn(server: Server, authenticate: Authenticate): void;
  /** Authenticates every stream once more, and ends those that would be refused now: whose identity or certificate was revoked. */
  reauthenticate(): void;
  /** Ends all streams with UNAVAILABLE, so that proxies reconnect elsewhere, and takes no new ones. */
  close(): Promise<void>;
}

/** A proxy that does not read does not get its status either; it is not waited for any longer. */
const CLOSE_MS = 1_000;

/** Streams whose tokens are looked at, at one time: an API server may have to be asked about each. */
const MOST_UNDER_CHECK = 500;

/** Serves envoy.service.discovery.v3.AggregatedDiscoveryService, both variants, on a gRPC server. */
export function addDiscoveryService(server: Server, options: DiscoveryServiceOptions): DiscoveryService {
  const { source, log } = options;
  const timers = options.timers ?? systemTimers;
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
  const streams = new Set<DiscoveryStream>();
  const byIdentity = new Map<SpiffeId | undefined, number>();
  const byNode = new Map<string, Set<DiscoveryStream>>();
  const clock = options.clock ?? (() => new Date());
  let closed = false;

  const turns = new Turns<DiscoveryStream>((stream, mayGoOn) => stream.work(mayGoOn));
  const unsubscribe = source.onChange(() => {
    const at = clock();
    for (const stream of streams) {
      stream.published(at);
      turns.add(stream);
    }
  });

  /** The oldest of a pod's streams gives way: it is most likely the one whose socket is dead. */
  const onNode = (stream: DiscoveryStream): void => {
    const all = byNode.get(stream.node) ?? new Set<DiscoveryStream>();
    byNode.set(stream.node, all.add(stream));
    const same = [...all].filter(({ identity }) => identity === stream.identity);
    for (const old of same.slice(0, Math.max(0, same.length - limits.streamsPerNode))) {
      void old.end(status.ABORTED, 'this proxy has opened newer streams');
    }
  };
  const onEnd = (stream: DiscoveryStream): void => {
    if (!streams.delete(stream)) return;
    turns.delete(stream);
    const left = (byIdentity.get(stream.identity) ?? 1) - 1;
    if (left > 0) byIdentity.set(stream.identity, left);
    else byIdentity.delete(stream.identity);
    const same = byNode.get(stream.node);
    if (same?.delete(stream) === true && same.size === 0) byNode.delete(stream.node);
  };

  let underCheck = 0;
  const end = (call: DiscoveryCall, code: status, details: string): void => {
    log.warn({ peer: call.getPeer(), reason: details }, 'discovery stream refused');
    call.emit('error', { code, details });
  };

  const openByToken = async (variant: Variant, call: DiscoveryCall, byToken: AuthenticateByToken): Promise<void> => {
    if (underCheck >= MOST_UNDER_CHECK) return end(call, status.RESOURCE_EXHAUSTED, 'too many streams begin at once');
    underCheck += 1;
    try {
      const found = await byToken(call);
      if (call.cancelled) return;
      if (found.ok) open(variant, found.value)(call);
      else end(call, status.UNAUTHENTICATED, found.reason);
    } catch {
      end(call, status.UNAVAILABLE, 'the token cannot be looked at now');
    } finally {
      underCheck -= 1;
    }
  };

  const open = (variant: Variant, authenticate: Authenticate, byToken?: AuthenticateByToken) => (call: DiscoveryCall) => {
    if (closed) return end(call, status.UNAVAILABLE, 'the control plane is shutting down');
    const caller = authenticate(call);
    if (!caller.ok && byToken !== undefined && call.metadata.get('authorization').length > 0)
      return void openByToken(variant, call, byToken);
    if (!caller.ok) return end(call, status.UNAUTHENTICATED, caller.reason);
    const identity = caller.value;
    const open = byIdentity.get(identity) ?? 0;
    if (open >= limits.streamsPerIdentity)
      return end(call, status.RESOURCE_EXHAUSTED, `${identity ?? 'plain text'} has ${open} streams open`);
    call.sendMetadata(new Metadata());
    byIdentity.set(identity, open + 1);
    streams.add(
      new DiscoveryStream({
        call,
        variant,
        identity,
        authenticate,
        source,
        log,
        clock,
        timers,
        limits,
        onNode,
        onEnd,
        onWork: (stream) => turns.add(stream),
        observer: options.observer ?? NO_OBSERVER,
      }),
    );
  };

  const serveOn = (on: Server, authenticate: Authenticate, byToken?: AuthenticateByToken): void =>
    on.addService(
      {
        streamAggregatedResources: bytesRpc(AggregatedDiscoveryService.method.streamAggregatedResources),
        deltaAggregatedResources: bytesRpc(AggregatedDiscoveryService.method.deltaAggregatedResources),
      },
      {
        streamAggregatedResources: open('sotw', authenticate, byToken),
        deltaAggregatedResources: open('delta', authenticate, byToken),
      },
    );
  serveOn(server, options.authenticate, options.byToken);

  return {
    streams: () => [...streams].filter(({ node }) => node !== '').map((stream) => stream.status),
    alsoOn: (on, authenticate) => serveOn(on, authenticate),
    holdings(namespace, pod, types) {
      const newest = [...byNode]
        .filter(([node]) => node.split('~')[2] === `${pod}.${namespace}`)
        .flatMap(([, all]) => [...all])
        .at(-1);
      return newest?.holdings(types);
    },
    oldestAccepted() {
      let oldest: number | undefined;
      for (const { isProxy, accepted } of streams) if (isProxy && (oldest === undefined || accepted < oldest)) oldest = accepted;
      return oldest;
    },
    reauthenticate() {
      for (const stream of streams) stream.reauthenticate();
    },
    async close() {
      closed = true;
      unsubscribe();
      const ends = [...streams].map((stream) => stream.end(status.UNAVAILABLE, 'the control plane is shutting down'));
      await Promise.race([Promise.all(ends), new Promise<void>((resolve) => timers.after(CLOSE_MS, resolve))]);
    },
  };
}
