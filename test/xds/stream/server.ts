import { type ChannelOptions, Server, ServerCredentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { parsed, type Parsed } from '../../../ca/identity/parsed.ts';
import { parseSpiffeId, type SpiffeId } from '../../../ca/identity/spiffe-id.ts';
import type { ProxyClaim } from '../../../xds/resources/proxy.ts';
import type { ResourceSet } from '../../../xds/resource-set.ts';
import type { Limits } from '../../../xds/stream/limits.ts';
import { serverOptions } from '../../../xds/stream/server-options.ts';
import { addDiscoveryService, type DiscoveryCall, type DiscoveryService } from '../../../xds/stream/service.ts';
import type { Answer, ResourceSource } from '../../../xds/stream/source.ts';
import type { StreamStatus } from '../../../xds/stream/status.ts';
import type { DiscoveryObserver } from '../../../xds/stream/traffic.ts';
import type { Timers } from '../../../xds/stream/timers.ts';

function must<T>(value: Parsed<T>): T {
  if (!value.ok) throw new Error(value.reason);
  return value.value;
}

export const SHOP: SpiffeId = must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/web'));
export const NODE = 'sidecar~127.0.0.1~web-1.shop~shop.svc.cluster.local';

/** Resources by hand: the same set for each pod, unless there is an answer of its own. */
export class TestSource implements ResourceSource {
  readonly answers = new Map<string, Answer>();
  readonly claims: ProxyClaim[] = [];
  /** Thrown while it is there. */
  failure: Error | undefined;
  #snapshot = 0;
  #set: ResourceSet | undefined;
  readonly #listeners = new Set<() => void>();

  /** Returns the new snapshot's number. */
  publish(set: ResourceSet): number {
    this.#set = set;
    this.#snapshot += 1;
    for (const listener of this.#listeners) listener();
    return this.#snapshot;
  }

  resourcesFor(claim: ProxyClaim): Answer {
    this.claims.push(claim);
    if (this.failure !== undefined) throw this.failure;
    const own = claim.kind === 'agent' ? undefined : this.answers.get(claim.pod);
    if (own !== undefined) return own;
    return this.#set === undefined ? { kind: 'unknown' } : { kind: 'found', snapshot: this.#snapshot, set: this.#set };
  }

  /** Told which clusters a proxy waits for; may publish. */
  onWanted: ((asked: readonly string[], held: readonly string[] | undefined) => boolean) | undefined;

  wanted(_claim: ProxyClaim, asked: readonly string[], held: readonly string[] | undefined): boolean {
    return this.onWanted?.(asked, held) ?? false;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listening(): number {
    return this.#listeners.size;
  }
}

/** Timers that fire when told. */
export class TestTimers implements Timers {
  readonly waiting: { readonly ms: number; readonly task: () => void }[] = [];

  after(ms: number, task: () => void): () => void {
    const entry = { ms, task };
    this.waiting.push(entry);
    return () => {
      const at = this.waiting.indexOf(entry);
      if (at >= 0) this.waiting.splice(at, 1);
    };
  }

  fire(ms: number): void {
    for (const entry of this.waiting.filter((candidate) => candidate.ms === ms)) {
      this.waiting.splice(this.waiting.indexOf(entry), 1);
      entry.task();
    }
  }
}

export interface Running {
  readonly source: TestSource;
  readonly service: DiscoveryService;
  readonly address: string;
  /** Lines that were logged at warn or above. */
  readonly warnings: readonly Readonly<Record<string, unknown>>[];
  only(): StreamStatus | undefined;
  /** Cuts all connections; the server goes on listening. */
  disconnect(): void;
  stop(): void;
}

export interface Setup {
  readonly authenticate?: (call: DiscoveryCall) => Parsed<SpiffeId>;
  readonly timers?: Timers;
  readonly limits?: Partial<Limits>;
  readonly channel?: ChannelOptions;
  readonly observer?: DiscoveryObserver;
  readonly clock?: () => Date;
}

/** A discovery service in plain text on a free port of 127.0.0.1. */
export async function startServer(setup: Setup = {}): Promise<Running> {
  const server = new Server({ ...serverOptions, ...setup.channel });
  const source = new TestSource();
  const warnings: Record<string, unknown>[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => warnings.push(JSON.parse(line)) });
  const service = addDiscoveryService(server, {
    source,
    log,
    authenticate: setup.authenticate ?? (() => parsed(SHOP)),
    ...(setup.timers && { timers: setup.timers }),
    ...(setup.limits && { limits: setup.limits }),
    ...(setup.observer && { observer: setup.observer }),
    ...(setup.clock && { clock: setup.clock }),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    source,
    service,
    address: `127.0.0.1:${port}`,
    warnings,
    only: () => service.streams()[0],
    disconnect: () => server.drain(`127.0.0.1:${port}`, 0),
    stop: () => server.forceShutdown(),
  };
}
