import { Metadata, type Server, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { Variant } from '../subscription/event.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import type { ResourceSource } from './source.ts';
import type { StreamStatus } from './status.ts';
import { type DiscoveryCall, DiscoveryStream } from './stream.ts';
import { systemTimers, type Timers } from './timers.ts';

export type { StreamStatus } from './status.ts';
export type { DiscoveryCall } from './stream.ts';

/**
 * Who is at the other end, by its client certificate; a refusal ends the call with UNAUTHENTICATED. Undefined: nobody is known, and the
 * node id alone is believed.
 */
export type Authenticate = (call: DiscoveryCall) => Parsed<SpiffeId | undefined>;

export interface DiscoveryServiceOptions {
  readonly source: ResourceSource;
  readonly authenticate: Authenticate;
  readonly log: Logger;
  readonly clock?: () => Date;
  readonly timers?: Timers;
  readonly limits?: Partial<Limits>;
}

export interface DiscoveryService {
  /** One for each connected stream that has named its node. */
  streams(): readonly StreamStatus[];
  /** Serves the same on another server, whose callers are authenticated in another way. */
  alsoOn(server: Server, authenticate: Authenticate): void;
  /** Authenticates every stream once more, and ends those that would be refused now: whose identity or certificate was revoked. */
  reauthenticate(): void;
  /** Ends all streams with UNAVAILABLE, so that proxies reconnect elsewhere, and takes no new ones. */
  close(): Promise<void>;
}

/** A proxy that does not read does not get its status either; it is not waited for any longer. */
const CLOSE_MS = 1_000;

/** Requests and responses stay bytes for gRPC: a request that does not parse is ours to answer, and responses are bytes already. */
const bytes = (buffer: Buffer): Buffer => buffer;
const method = (name: string) => ({
  path: `/envoy.service.discovery.v3.AggregatedDiscoveryService/${name}`,
  requestStream: true as const,
  responseStream: true as const,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

/** Serves envoy.service.discovery.v3.AggregatedDiscoveryService, both variants, on a gRPC server. */
export function addDiscoveryService(server: Server, options: DiscoveryServiceOptions): DiscoveryService {
  const { source, log } = options;
  const timers = options.timers ?? systemTimers;
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
  const streams = new Set<DiscoveryStream>();
  const waiting = new Set<DiscoveryStream>();
  let closed = false;
  let scheduled = false;

  /** One stream in each turn of the event loop: acknowledgements, certificates and logs get their turn in between. */
  const next = (): void => {
    scheduled = false;
    for (const stream of waiting) {
      waiting.delete(stream);
      if (waiting.size > 0) schedule();
      stream.refresh();
      return;
    }
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(next);
  };
  const unsubscribe = source.onChange(() => {
    for (const stream of streams) waiting.add(stream);
    if (waiting.size > 0) schedule();
  });

  /** The oldest of a pod's streams gives way: it is most likely the one whose socket is dead. */
  const onNode = (stream: DiscoveryStream): void => {
    const same = [...streams].filter(({ node, identity }) => node === stream.node && identity === stream.identity);
    for (const old of same.slice(0, Math.max(0, same.length - limits.streamsPerNode))) {
      void old.end(status.ABORTED, 'this proxy has opened newer streams');
    }
  };

  const open = (variant: Variant, authenticate: Authenticate) => (call: DiscoveryCall) => {
    const end = (code: status, details: string): void => {
      log.warn({ peer: call.getPeer(), reason: details }, 'discovery stream refused');
      call.emit('error', { code, details });
    };
    if (closed) return end(status.UNAVAILABLE, 'the control plane is shutting down');
    const caller = authenticate(call);
    if (!caller.ok) return end(status.UNAUTHENTICATED, caller.reason);
    const identity = caller.value;
    let open = 0;
    for (const stream of streams) if (stream.identity === identity) open += 1;
    if (open >= limits.streamsPerIdentity)
      return end(status.RESOURCE_EXHAUSTED, `${identity ?? 'plain text'} has ${open} streams open`);
    call.sendMetadata(new Metadata());
    streams.add(
      new DiscoveryStream({
        call,
        variant,
        identity,
        authenticate,
        source,
        log,
        clock: options.clock ?? (() => new Date()),
        timers,
        limits,
        onNode,
        onEnd: (stream) => {
          streams.delete(stream);
          waiting.delete(stream);
        },
      }),
    );
  };

  const serveOn = (on: Server, authenticate: Authenticate): void =>
    on.addService(
      {
        streamAggregatedResources: method('StreamAggregatedResources'),
        deltaAggregatedResources: method('DeltaAggregatedResources'),
      },
      { streamAggregatedResources: open('sotw', authenticate), deltaAggregatedResources: open('delta', authenticate) },
    );
  serveOn(server, options.authenticate);

  return {
    alsoOn: serveOn,
    streams: () => [...streams].filter(({ node }) => node !== '').map((stream) => stream.status),
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
