// One proxy of the load: it asks as Envoy with a sidecar's bootstrap does, accepts everything, and counts.
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { PlannedProxy } from '../mesh/plan.ts';
import { CLUSTER, ENDPOINTS, EXTENSION_CONFIG, LISTENER, ROUTES, SECRET, VIRTUAL_HOST } from '../../xds/resource-set.ts';
import { Names } from '../../xds/subscription/names.ts';
import { decodeResponse, encodeRequest, METHODS, nodeBytes, sotwNames, type Ask, type Variant } from './messages.ts';
import { type Contents, contentsOf } from './contents.ts';
import { Holdings } from './holdings.ts';
import { endpointsOf } from './resources.ts';

export interface Counts {
  bytes: number;
  responses: number;
  resources: number;
}

/** What a change must bring to each proxy: a response of one of these types, which holds these bytes. */
export interface Awaited {
  readonly types: readonly string[];
  readonly marker: Buffer | undefined;
}

export interface ProxyOptions {
  readonly proxy: PlannedProxy;
  readonly variant: Variant;
  /** Also ask for the trust bundle. */
  readonly bundle: boolean;
  /** Remember names and versions, to tell them when connecting again (delta). */
  readonly remember: boolean;
  readonly onConfigured: () => void;
  readonly onSeen: () => void;
  readonly onEnd: (reason: string) => void;
}

const PREFIX = 5;
/** Types that are asked for by name, after something that names them. */
type Named = typeof ENDPOINTS | typeof ROUTES | typeof EXTENSION_CONFIG;

export class LoadProxy {
  readonly options: ProxyOptions;
  readonly counts: Counts = { bytes: 0, responses: 0, resources: 0 };
  readonly #known = new Map<string, Holdings>();
  lastByteAt = 0;
  configured = false;
  awaited: Awaited | undefined;
  #stream: ClientHttp2Stream | undefined;
  #node: Uint8Array | undefined;
  #chunks: Buffer[] = [];
  #held = 0;
  #needed = PREFIX;
  /** What is asked for by name, and what of it has come. Proxies that were told the same share these. */
  readonly #names = new Map<string, Names>();
  readonly #came = new Map<string, Names>();
  readonly #encodedNames = new Map<string, Buffer>();
  readonly #asked = new Set<string>();
  readonly #answered = new Set<string>();
  #wantsVirtualHosts = false;

  constructor(options: ProxyOptions) {
    this.options = options;
  }

  /** The first connection: each type when the one before has told what to ask for. */
  start(session: ClientHttp2Session): void {
    this.#open(session);
    if (this.options.bundle) this.#subscribe(SECRET, ['ROOTCA']);
    this.#ask({ type: CLUSTER, ...this.#initial(CLUSTER) });
  }

  /** A connection after one that was lost: all that was subscribed is asked for at once, with or without what is still there. */
  resume(session: ClientHttp2Session, withVersions: boolean): void {
    const subscribed = [...this.#asked];
    this.#asked.clear();
    this.#answered.clear();
    this.#came.clear();
    this.#encodedNames.clear();
    [this.#chunks, this.#held, this.#needed] = [[], 0, PREFIX];
    this.configured = false;
    if (!withVersions) this.#known.clear();
    this.#open(session);
    for (const type of subscribed) {
      const names = type === SECRET ? ['ROOTCA'] : this.#names.get(type);
      if (names === undefined) this.#ask({ type, ...this.#initial(type) });
      else this.#subscribe(type, [...names]);
    }
  }

  #open(session: ClientHttp2Session): void {
    this.#node = nodeBytes(this.options.proxy);
    const stream = session.request({
      ':method': 'POST',
      ':path': METHODS[this.options.variant],
      'content-type': 'application/grpc+proto',
      te: 'trailers',
    });
    this.#stream = stream;
    let reason = 'closed';
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('trailers', (headers) => {
      reason = `status ${String(headers['grpc-status'])} ${String(headers['grpc-message'] ?? '')}`;
    });
    stream.on('error', (error: Error) => (reason = error.message));
    stream.on('close', () => this.options.onEnd(reason));
  }

  /** A stuck proxy: it reads no more, and its connection fills. */
  stick(): void {
    this.#stream?.pause();
  }

  unstick(): void {
    this.#stream?.resume();
  }

  #initial(type: string): Pick<Ask, 'versions'> {
    const versions = this.#known.get(type)?.versions();
    return versions === undefined ? {} : { versions: this.#shuffled([...versions]) };
  }

  /** In an order of this proxy's own: Envoy writes a map as its hashes fall, which each process has of its own. */
  #shuffled<Entry>(entries: Entry[]): readonly Entry[] {
    let state = entries.length + 1;
    for (const character of this.options.proxy.pod) state = (Math.imul(state, 31) + character.charCodeAt(0)) >>> 0;
    for (let left = entries.length - 1; left > 0; left--) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const other = state % (left + 1);
      const [one, two] = [entries[left], entries[other]];
      if (one !== undefined && two !== undefined) [entries[left], entries[other]] = [two, one];
    }
    return entries;
  }

  #ask(ask: Ask): void {
    if (this.#stream === undefined || this.#stream.closed) return;
    const first = this.#node;
    this.#node = undefined;
    this.#asked.add(ask.type);
    this.#stream.write(encodeRequest(this.options.variant, first === undefined ? ask : { ...ask, node: first }));
  }

  #subscribe(type: string, names: readonly string[], unsubscribe: readonly string[] = []): void {
    const { variant } = this.options;
    const first = !this.#asked.has(type);
    const had = first ? this.#known.get(type)?.versions() : undefined;
    // Who comes back with a version and is up to date is sent nothing.
    const there = had === undefined ? [] : names.filter((name) => had.has(name));
    this.#came.set(type, (this.#came.get(type) ?? Names.NONE).with(there).without(unsubscribe));
    if (variant === 'delta') this.#ask({ type, subscribe: names, unsubscribe, ...(first ? this.#initial(type) : {}) });
    else this.#ask({ type, names: this.#sotwNames(type, names) });
  }

  #isPending(type: string): boolean {
    return (this.#names.get(type)?.size ?? 0) > (this.#came.get(type)?.size ?? 0);
  }

  #sotwNames(type: string, fallback: readonly string[]): Buffer {
    const named = this.#names.get(type);
    const bytes = sotwNames(named ?? fallback);
    this.#encodedNames.set(type, bytes);
    return bytes;
  }

  #take(chunk: Buffer): void {
    this.counts.bytes += chunk.length;
    this.lastByteAt = now();
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    while (this.#held >= this.#needed) {
      let whole = this.#chunks.length === 1 ? (this.#chunks[0] ?? chunk) : Buffer.concat(this.#chunks);
      if (this.#needed === PREFIX) {
        this.#needed = PREFIX + whole.readUInt32BE(1);
        this.#chunks = [whole];
        continue;
      }
      const message = whole.subarray(PREFIX, this.#needed);
      whole = whole.subarray(this.#needed);
      this.#chunks = whole.length === 0 ? [] : [whole];
      this.#held = whole.length;
      this.#needed = PREFIX;
      this.#respond(message);
    }
  }

  #respond(message: Buffer): void {
    const { variant } = this.options;
    const { type, nonce, version, removed, resources } = decodeResponse(variant, message);
    const contents = contentsOf(variant, type, resources);
    this.counts.responses += 1;
    this.counts.resources += contents.resources;
    this.#answered.add(type);
    if (type === ROUTES && contents.virtualHosts) this.#wantsVirtualHosts = true;
    this.#note(type, contents, removed);
    const { awaited } = this;
    if (awaited?.types.includes(type) === true && (awaited.marker === undefined || message.includes(awaited.marker))) {
      this.awaited = undefined;
      this.options.onSeen();
    }
    const names = variant === 'sotw' ? this.#encodedNames.get(type) : undefined;
    this.#ask({ type, nonce, ...(variant === 'sotw' && { version }), ...(names !== undefined && { names }) });
    this.#next(type, contents, removed);
    this.#check();
  }

  #note(type: string, { names, listed }: Contents, removed: readonly string[]): void {
    // What is asked for and not there has been answered too.
    const asked = this.#names.get(type);
    if (asked !== undefined)
      this.#came.set(type, (this.#came.get(type) ?? Names.NONE).with(listed).with(removed.filter((name) => asked.has(name))));
    if (!this.options.remember) return;
    const known = this.#known.get(type) ?? new Holdings();
    this.#known.set(type, known);
    known.add(names, removed);
  }

  /** Asks for what was named. Listeners come when clusters have their endpoints, as in Envoy, which warms them first. */
  #next(type: string, found: Contents, removed: readonly string[]): void {
    if (type === CLUSTER) this.#grow(ENDPOINTS, found.endpoints, removed.map(endpointsOf));
    if (type === LISTENER) {
      this.#grow(EXTENSION_CONFIG, found.extensions, []);
      this.#grow(ROUTES, found.routes, []);
    }
    if (this.#wantsVirtualHosts && !this.#asked.has(VIRTUAL_HOST))
      this.#ask({ type: VIRTUAL_HOST, ...this.#initial(VIRTUAL_HOST) });
    if (!this.#isPending(ENDPOINTS) && this.#answered.has(CLUSTER) && !this.#asked.has(LISTENER))
      this.#ask({ type: LISTENER, ...this.#initial(LISTENER) });
  }

  #grow(type: Named, wanted: readonly string[], gone: readonly string[]): void {
    const before = this.#names.get(type) ?? Names.NONE;
    const names = before.with(wanted);
    const left = gone.filter((name) => names.has(name));
    this.#names.set(type, names.without(left));
    const fresh = names.size === before.size + wanted.length ? wanted : wanted.filter((name) => !before.has(name));
    if (fresh.length > 0 || left.length > 0) this.#subscribe(type, fresh, left);
  }

  #check(): void {
    if (this.configured || !this.#answered.has(LISTENER)) return;
    for (const type of this.#names.keys()) if (this.#isPending(type)) return;
    if (this.#wantsVirtualHosts && !this.#answered.has(VIRTUAL_HOST)) return;
    this.configured = true;
    this.options.onConfigured();
  }
}

/** Milliseconds on the clock that all processes of this machine share. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
