import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { ProxyClaim } from '../resources/proxy.ts';
import { CLUSTER, SECRET, type TypeUrl } from '../resource-set.ts';
import type { Event, Report, Variant } from '../subscription/event.ts';
import { step } from '../subscription/machine.ts';
import { openState, type State } from '../subscription/state.ts';
import type { Limits } from './limits.ts';
import { type NodeId, parseNodeId } from './node-id.ts';
import { Outbox } from './outbox.ts';
import { type Holding, holdings } from './holdings.ts';
import { logReport } from './report.ts';
import { parseRequest, type Request } from './request.ts';
import type { EnvoyVersion } from './request-wire.ts';
import type { Answer, ResourceSource } from './source.ts';
import { rejectedResources, type StreamStatus, subscriptions, trustBundle } from './status.ts';
import type { Timers } from './timers.ts';
import { type DiscoveryObserver, Traffic } from './traffic.ts';
import { WaitingSince } from './waiting-since.ts';

export type DiscoveryCall = ServerDuplexStream<Buffer, Buffer>;

export interface StreamOptions {
  readonly call: DiscoveryCall;
  readonly variant: Variant;
  /** Undefined where nobody is known: the connection is in plain text. */
  readonly identity: SpiffeId | undefined;
  readonly authenticate: (call: DiscoveryCall) => Parsed<SpiffeId | undefined>;
  readonly source: ResourceSource;
  readonly log: Logger;
  readonly clock: () => Date;
  readonly timers: Timers;
  readonly limits: Limits;
  readonly observer: DiscoveryObserver;
  /** Called once, when the stream has named its node. */
  readonly onNode: (stream: DiscoveryStream) => void;
  /** There is something to do: `work` is to be called, when it is this stream's turn. */
  readonly onWork: (stream: DiscoveryStream) => void;
  readonly onEnd: (stream: DiscoveryStream) => void;
}

const UNSERVED_TYPES_LOGGED = 16;
/** The stream's next turns go on with it. */
const UNPREPARED = Object.freeze({ kind: 'unprepared' } as const);
const AT_ONCE = (): boolean => true;

/**
 * Runs the subscription machine on one gRPC stream. While responses wait to be taken no snapshot is looked at: a slow or
 * stuck proxy gets the newest, not each one in between.
 */
export class DiscoveryStream {
  readonly #options: StreamOptions;
  readonly #connectedAt: Date;
  #log: Logger;
  #state: State;
  #claim: ProxyClaim | undefined;
  #node = '';
  #known = false;
  #acknowledged = 0;
  #accepted = 0;
  readonly #outbox: Outbox;
  readonly #traffic: Traffic;
  readonly #waiting = new WaitingSince();
  /** Requests that wait for this stream's turn: one, or few more. Nothing is read until they are done. */
  #requests: Buffer[] = [];
  #published = false;
  #mayGoOn = AT_ONCE;
  /** There may be something newer than what the state knows. */
  #stale = false;
  #ended = false;
  #cancelRelease: (() => void) | undefined;
  #cancelFirst: () => void;
  readonly #unserved = new Set<string>();

  constructor(options: StreamOptions) {
    const { call, variant, identity, timers, limits, log, clock, observer } = options;
    this.#options = options;
    this.#connectedAt = clock();
    this.#state = openState(variant);
    this.#log = log.child({ identity, variant });
    this.#traffic = new Traffic(variant, clock, observer);
    this.#outbox = new Outbox(
      call,
      variant,
      (response, bytes) => this.#traffic.sent(response, bytes),
      () => {
        this.#catchUp();
        this.#readOn();
      },
    );
    this.#cancelFirst = timers.after(limits.firstRequestMs, () => void this.end(status.DEADLINE_EXCEEDED, 'no request came'));
    call.on('data', (bytes: Buffer) => {
      call.pause();
      this.#requests.push(bytes);
      options.onWork(this);
    });
    call.on('end', () => {
      this.#finish('the proxy ended the stream');
      call.end();
    });
    call.on('cancelled', () => this.#finish('the connection is gone'));
    call.on('error', (error: Error) => this.#finish(error.message));
  }

  get identity(): SpiffeId | undefined {
    return this.#options.identity;
  }

  /** Ends a stream that would be refused now. */
  reauthenticate(): void {
    const caller = this.#options.authenticate(this.#options.call);
    if (!caller.ok) void this.end(status.UNAUTHENTICATED, caller.reason);
  }

  /** Empty before the first request. */
  get node(): string {
    return this.#node;
  }

  get status(): StreamStatus {
    return {
      node: this.#node,
      identity: this.#options.identity,
      variant: this.#options.variant,
      connectedAt: this.#connectedAt,
      kind: this.#claim?.kind === 'agent' ? 'agent' : 'proxy',
      acknowledged: this.#acknowledged,
      accepted: this.#accepted,
      trustBundle: trustBundle(this.#state.types.get(SECRET)),
      waitingSince: this.#waiting.since,
      known: this.#known,
      rejected: rejectedResources(this.#state),
      subscriptions: subscriptions(this.#state.types, this.#traffic),
      sent: this.#traffic.total,
    };
  }

  /** A proxy whose pod is known: one that is told of snapshots. */
  get isProxy(): boolean {
    return this.#known && this.#claim !== undefined && this.#claim.kind !== 'agent';
  }

  get accepted(): number {
    return this.#accepted;
  }

  /** What the proxy is told of these types, with where each resource stands. */
  holdings(types: readonly TypeUrl[]): readonly Holding[] {
    return types.flatMap((type) => holdings(this.#state, type));
  }

  /** Something new was published. It is looked at in {@link work}. */
  published(at: Date): void {
    this.#published = true;
    if (this.#claim?.kind !== 'agent') this.#waiting.published(at);
  }

  /**
   * Does one piece of what is to be done: a request, or a look at what was published.
   * @param mayGoOn whether there is time for more; asked in what can be interrupted
   * @returns whether there is more
   */
  work(mayGoOn: () => boolean): boolean {
    this.#mayGoOn = mayGoOn;
    const request = this.#requests.shift();
    if (request !== undefined) this.#receive(request);
    else if (this.#published) {
      this.#published = false;
      this.#refresh();
    }
    this.#readOn();
    this.#mayGoOn = AT_ONCE;
    return !this.#ended && (this.#requests.length > 0 || this.#published);
  }

  #readOn(): void {
    if (!this.#ended && this.#requests.length === 0 && !this.#outbox.busy) this.#options.call.resume();
  }

  /** There is a new snapshot. It is looked at now, or when all before it is on its way. */
  #refresh(): void {
    if (this.#ended || this.#claim === undefined) return;
    if (this.#outbox.busy) this.#stale = true;
    else this.#guarded(() => this.#look());
  }

  #catchUp(): void {
    if (!this.#stale) return;
    this.#stale = false;
    this.#published = true;
    this.#options.onWork(this);
  }

  /** Ends the call with a status; the proxy reconnects with its own back-off. Resolves when gRPC has taken the status. */
  end(code: status, details: string): Promise<void> {
    if (this.#ended) return Promise.resolve();
    this.#finish(details);
    const { call } = this.#options;
    return new Promise((resolve) => {
      call.once('finish', resolve);
      call.once('cancelled', resolve);
      call.emit('error', { code, details });
    });
  }

  #finish(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#outbox.close();
    this.#requests = [];
    this.#cancelFirst();
    this.#cancelRelease?.();
    const { call, onEnd } = this.#options;
    // What still comes is read and dropped, or the end of the stream would never be seen.
    call.removeAllListeners('data');
    call.resume();
    this.#log.info({ reason }, 'discovery stream ended');
    onEnd(this);
  }

  /** A bug must not reach other streams: this one ends, and begins anew when the proxy reconnects. */
  #guarded(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#log.error({ err: error }, 'discovery stream failed');
      void this.end(status.INTERNAL, 'internal error');
    }
  }

  #receive(bytes: Buffer): void {
    if (this.#ended) return;
    const { variant, limits } = this.#options;
    const request = parseRequest(variant, bytes, limits);
    if (!request.ok) return this.#refuse(status.INVALID_ARGUMENT, request.reason);
    this.#guarded(() => {
      if (this.#claim === undefined ? this.#begin(request.value) : this.#sameNode(request.value)) this.#take(request.value);
    });
  }

  #refuse(code: status, reason: string): void {
    this.#log.warn({ reason }, 'discovery stream refused');
    void this.end(code, reason);
  }

  /** The first request: who is it? */
  #begin({ nodeId, envoy }: Request): boolean {
    const { identity, log, variant, onNode } = this.#options;
    const node = parseNodeId(nodeId);
    if (!node.ok) {
      this.#refuse(status.INVALID_ARGUMENT, node.reason);
      return false;
    }
    const claim = claimOf(node.value, identity, envoy);
    if (!claim.ok) {
      this.#refuse(status.PERMISSION_DENIED, claim.reason);
      return false;
    }
    this.#cancelFirst();
    this.#node = node.value.text;
    this.#claim = claim.value;
    this.#log = log.child({ node: this.#node, identity, variant });
    this.#log.info({ peer: this.#options.call.getPeer() }, 'discovery stream opened');
    onNode(this);
    this.#look();
    return !this.#ended;
  }

  #sameNode({ nodeId }: Request): boolean {
    if (nodeId === '' || nodeId === this.#node) return true;
    this.#refuse(status.INVALID_ARGUMENT, 'node.id changed within a stream');
    return false;
  }

  #take({ event, typeUrl }: Request): void {
    if (event === undefined) {
      // Not an error: Envoy goes on without it, once its own fetch timeout is over.
      if (this.#unserved.size < UNSERVED_TYPES_LOGGED && !this.#unserved.has(typeUrl)) {
        this.#unserved.add(typeUrl);
        this.#log.warn({ typeUrl }, 'a type was asked for that is not served');
      }
      return;
    }
    const meant = this.#grow(event);
    if (this.#ended) return;
    this.#step(meant);
    if (this.#ended) return;
    const names = this.#state.types.get(event.type)?.interest.names.size ?? 0;
    if (names > this.#options.limits.names) this.#refuse(status.RESOURCE_EXHAUSTED, `too many names of ${event.type}`);
  }

  /**
   * Clusters that are asked for by their names are looked for before it is answered that there are none.
   * @returns the request as it is meant: Envoy, which began by asking for all without a name, goes on to want all and does not say so
   */
  #grow(event: Event): Event {
    const { source } = this.#options;
    if (source.wanted === undefined || this.#claim === undefined) return event;
    if (event.kind !== 'delta-request' || event.type !== CLUSTER) return event;
    const asked = event.subscribe.filter((name) => name !== '*');
    const known = this.#state.types.get(CLUSTER);
    const held: string[] | undefined = known === undefined ? [] : undefined;
    event.initialVersions.forEach((_, name) => held?.push(name));
    if (asked.length === 0 && held === undefined) return event;
    if (!source.wanted(this.#claim, asked, held)) return event;
    // Now, if the request is answered now.
    if (this.#state.snapshot !== undefined) this.#mayGoOn = AT_ONCE;
    this.#look();
    return known?.interest.wildcard === 'legacy' ? { ...event, subscribe: ['*', ...event.subscribe] } : event;
  }

  /** Asks the source for what this proxy may be told now. */
  #look(): void {
    if (this.#claim === undefined) return;
    const answer = this.#ask(this.#claim);
    switch (answer?.kind) {
      case undefined:
        return;
      case 'unprepared':
        this.#published = true;
        return;
      case 'unknown':
        if (this.#known) this.#log.info('the pod is in no snapshot any more; its proxy keeps what it has');
        this.#known = false;
        this.#waiting.ignored();
        return;
      case 'refused':
        return this.#refuse(status.PERMISSION_DENIED, answer.reason);
      case 'found':
        this.#known = true;
        if (answer.set === this.#state.set && answer.snapshot === this.#state.snapshot) return this.#waiting.ignored();
        this.#waiting.looked();
        return this.#step({ kind: 'set', set: answer.set, snapshot: answer.snapshot });
      default:
        return answer satisfies never;
    }
  }

  /** A compiler that fails for one proxy leaves that proxy with what it has. */
  #ask(claim: ProxyClaim): Answer | typeof UNPREPARED | undefined {
    const { source, variant } = this.#options;
    try {
      if (source.prepare?.(claim, variant, this.#mayGoOn) === false) return UNPREPARED;
      return source.resourcesFor(claim, variant);
    } catch (error) {
      this.#log.error({ err: error }, 'resources could not be compiled; the proxy keeps what it has');
      return undefined;
    }
  }

  #step(event: Event): void {
    const { state, responses, reports } = step(this.#state, event);
    this.#state = state;
    for (const report of reports) this.#note(report);
    this.#armRelease(reports.some(({ kind }) => kind === 'acked'));
    const { limits } = this.#options;
    if ([...state.types.values()].some(({ outstanding }) => outstanding.length > limits.outstanding)) {
      return this.#refuse(
        status.RESOURCE_EXHAUSTED,
        `more than ${limits.outstanding} responses are neither accepted nor refused`,
      );
    }
    if (responses.length > 0) this.#waiting.sent();
    this.#outbox.push(responses);
  }

  #note(report: Report): void {
    if (report.kind === 'settled') this.#settled(report.snapshot, report.accepted);
    if (report.kind === 'acked' || report.kind === 'nacked' || report.kind === 'isolating')
      this.#traffic.answered(report.type, report.kind === 'acked');
    logReport(this.#log, report, this.#state);
  }

  #settled(snapshot: number, accepted: boolean): void {
    if (accepted) this.#accepted = Math.max(this.#accepted, snapshot);
    this.#acknowledged = Math.max(this.#acknowledged, snapshot);
    const since = this.#waiting.settled();
    const { clock, observer } = this.#options;
    if (since !== undefined) observer.converged(clock().getTime() - since.getTime());
  }

  /** The time runs from the last acknowledgement: who answers, however slowly, is waited for. */
  #armRelease(progress: boolean): void {
    if (!this.#state.held || progress) {
      this.#cancelRelease?.();
      this.#cancelRelease = undefined;
    }
    if (!this.#state.held || this.#cancelRelease !== undefined) return;
    const { timers, limits } = this.#options;
    this.#cancelRelease = timers.after(limits.releaseMs, () => {
      this.#cancelRelease = undefined;
      if (this.#ended) return;
      this.#log.warn({ waitedMs: limits.releaseMs }, 'the proxy does not acknowledge; what waited for it is sent now');
      this.#guarded(() => this.#step({ kind: 'release' }));
    });
  }
}

function claimOf(node: NodeId, identity: SpiffeId | undefined, envoy: EnvoyVersion | undefined): Parsed<ProxyClaim> {
  if (node.kind !== 'agent') {
    const { kind, namespace, pod } = node;
    return parsed({ kind, namespace, pod, identity, ...(takesHostsApart(envoy) ? {} : { hostsInline: true }) });
  }
  return identity === undefined ? refused('agents come over TLS, with a certificate') : parsed({ kind: 'agent', identity });
}

/** Seen: 1.36 refuses `vhds` over an aggregated stream, 1.37 to 1.40 take it. Who does not say what it is gets what Envoy of today takes. */
function takesHostsApart(envoy: EnvoyVersion | undefined): boolean {
  return envoy === undefined || envoy.major > 1 || envoy.minor >= 37;
}
