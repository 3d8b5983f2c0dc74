import assert from 'node:assert/strict';
import { CLUSTER, ENDPOINTS, LISTENER, type ResourceSet, ROUTES, type TypeUrl, versionOf } from '../../../xds/resource-set.ts';
import type { DeltaRequest, Event, Report, Response, SotwRequest, Variant } from '../../../xds/subscription/event.ts';
import { step } from '../../../xds/subscription/machine.ts';
import { openState, type State } from '../../../xds/subscription/state.ts';

/** What a fake resource's content says: `REVISION[!] REFERENCE REFERENCE...`; with the `!` the client refuses it. */
export interface Held {
  readonly version: string;
  readonly refers: readonly string[];
}

type Kind = typeof CLUSTER | typeof ENDPOINTS | typeof LISTENER | typeof ROUTES;
const KINDS: readonly Kind[] = [CLUSTER, ENDPOINTS, LISTENER, ROUTES];

function read(version: string): { readonly bad: boolean; readonly held: Held } {
  const [revision = '', ...refers] = version.slice(version.indexOf('@') + 1).split(' ');
  return { bad: revision.endsWith('!'), held: { version, refers } };
}

/**
 * A proxy in small: asks for clusters, then their endpoints, then listeners, then the routes these name; answers in order;
 * refuses bad resources and keeps what it had. It checks at each step that nothing it holds refers to what it does not hold.
 */
export class ModelClient {
  readonly holds = new Map<Kind, Map<string, Held>>(KINDS.map((kind) => [kind, new Map()]));
  readonly #variant: Variant;
  #state: State;
  #inbox: Response[] = [];
  #asked = new Map<Kind, Set<string>>();
  #nonces = new Map<Kind, string>();
  #versions = new Map<Kind, string>();
  #current: { readonly set: ResourceSet; readonly snapshot: number } | undefined;
  /** Clusters that the client was offered and refused: that a route refers to one is not the server's doing. */
  readonly #refused = new Set<string>();
  settled: { readonly snapshot: number; readonly accepted: boolean } | undefined;
  sentResources = 0;
  /** Checked unless order was given up for this run. */
  readonly #checkRemovals: boolean;

  constructor(variant: Variant, checkRemovals: boolean) {
    this.#variant = variant;
    this.#checkRemovals = checkRemovals;
    this.#state = openState(variant);
  }

  get idle(): boolean {
    return this.#inbox.length === 0;
  }

  get heldBack(): boolean {
    return this.#state.held;
  }

  publish(set: ResourceSet, snapshot: number): void {
    this.#current = { set, snapshot };
    this.#run({ kind: 'set', set, snapshot });
  }

  /** Published while the client is not connected. */
  miss(set: ResourceSet, snapshot: number): void {
    this.#current = { set, snapshot };
  }

  release(): void {
    this.#run({ kind: 'release' });
  }

  /** A new stream; what is held is brought along. */
  connect(): void {
    this.#state = openState(this.#variant);
    this.#inbox = [];
    this.#nonces.clear();
    const before = [...this.#asked.keys()];
    this.#asked.clear();
    if (this.#current !== undefined) this.#run({ kind: 'set', ...this.#current });
    this.#ask(CLUSTER);
    for (const kind of KINDS) if (kind !== CLUSTER && before.includes(kind)) this.#ask(kind);
  }

  /** Takes the next response, if any. */
  take(): void {
    const response = this.#inbox.shift();
    if (response === undefined) return;
    const kind = KINDS.find((known) => known === response.type);
    assert.ok(kind !== undefined);
    this.#nonces.set(kind, response.nonce);
    this.sentResources += response.resources.length;
    const bad = response.resources.filter(({ version }) => read(version).bad).map(({ name }) => name);
    if (bad.length > 0) {
      if (kind === CLUSTER) for (const { name } of response.resources) this.#refused.add(name);
      return this.#answer(kind, `refused: ${bad.join(', ')}`);
    }
    this.#apply(kind, response);
    this.#versions.set(kind, response.version);
    if (kind === CLUSTER) this.#ask(ENDPOINTS);
    if (kind === LISTENER) this.#ask(ROUTES);
    this.#answer(kind, undefined);
    if (kind === CLUSTER && !this.#asked.has(LISTENER)) this.#ask(LISTENER);
  }

  #of(kind: Kind): Map<string, Held> {
    const held = this.holds.get(kind);
    assert.ok(held !== undefined);
    return held;
  }

  #apply(kind: Kind, { resources, removed }: Response): void {
    const held = this.#of(kind);
    const gone =
      this.#variant === 'sotw' && (kind === CLUSTER || kind === LISTENER)
        ? [...held.keys()].filter((name) => !resources.some((resource) => resource.name === name))
        : removed;
    for (const name of gone) {
      held.delete(name);
      if (kind === CLUSTER) this.#of(ENDPOINTS).delete(name);
    }
    for (const { name, version } of resources) {
      if (kind === CLUSTER) this.#refused.delete(name);
      held.set(name, read(version).held);
    }
    this.#check(
      kind,
      gone,
      resources.map(({ name }) => name),
    );
  }

  /** Make before break. */
  #check(kind: Kind, gone: readonly string[], came: readonly string[]): void {
    const clusters = this.#of(CLUSTER);
    if (kind === ROUTES) {
      for (const route of came)
        for (const cluster of this.#of(ROUTES).get(route)?.refers ?? [])
          assert.ok(clusters.has(cluster) || this.#refused.has(cluster), `route ${route} came before its cluster ${cluster}`);
    }
    if (kind !== CLUSTER || !this.#checkRemovals) return;
    for (const [route, { refers }] of this.#of(ROUTES))
      for (const cluster of gone)
        assert.ok(!refers.includes(cluster), `cluster ${cluster} went while route ${route} refers to it`);
  }

  #wanted(kind: Kind): Set<string> {
    if (kind === ENDPOINTS) return new Set(this.#of(CLUSTER).keys());
    return new Set([...this.#of(LISTENER).values()].flatMap(({ refers }) => refers));
  }

  /** Asks for a type, or amends what was asked for. */
  #ask(kind: Kind): void {
    const first = !this.#asked.has(kind);
    const named = kind === ENDPOINTS || kind === ROUTES;
    const names = named ? this.#wanted(kind) : new Set<string>();
    const old = this.#asked.get(kind) ?? new Set<string>();
    const subscribe = [...names].filter((name) => !old.has(name));
    const unsubscribe = [...old].filter((name) => !names.has(name));
    this.#asked.set(kind, names);
    const held = this.#of(kind);
    if (named) for (const name of held.keys()) if (!names.has(name)) held.delete(name);
    if (!first && subscribe.length === 0 && unsubscribe.length === 0) return;
    const initialVersions = new Map(first ? [...held].map(([name, { version }]) => [name, version]) : []);
    this.#request(kind, { subscribe, unsubscribe, initialVersions });
  }

  #answer(kind: Kind, error: string | undefined): void {
    this.#request(kind, { nonce: this.#nonces.get(kind) ?? '', ...(error !== undefined && { error }) });
  }

  #request(kind: Kind, delta: Partial<DeltaRequest> & Partial<Pick<SotwRequest, 'error' | 'nonce'>>): void {
    const { error } = delta;
    if (this.#variant === 'delta') {
      return this.#run({
        kind: 'delta-request',
        type: kind,
        subscribe: [],
        unsubscribe: [],
        initialVersions: new Map(),
        nonce: '',
        ...delta,
      });
    }
    this.#run({
      kind: 'sotw-request',
      type: kind,
      names: [...(this.#asked.get(kind) ?? [])],
      version: this.#versions.get(kind) ?? '',
      nonce: this.#nonces.get(kind) ?? '',
      ...(error !== undefined && { error }),
    });
  }

  #run(event: Event): void {
    const { state, responses, reports } = step(this.#state, event);
    this.#state = state;
    this.#inbox.push(...responses);
    for (const report of reports) this.#note(report);
  }

  #note(report: Report): void {
    if (report.kind === 'settled') this.settled = report;
  }

  /** That the client holds exactly what it asked for of this set. */
  assertHolds(set: ResourceSet): void {
    const listeners = set.get(LISTENER) ?? new Map();
    const routes = new Set([...listeners.values()].flatMap(({ version }) => read(version).held.refers));
    const wanted = (type: TypeUrl, names?: ReadonlySet<string>): Record<string, string> =>
      Object.fromEntries(
        [...(set.get(type) ?? [])]
          .filter(([name]) => names?.has(name) ?? true)
          .map(([name, { version }]) => [name, version] as const)
          .sort(),
      );
    for (const kind of KINDS) {
      const held = Object.fromEntries([...this.#of(kind)].map(([name, { version }]) => [name, version] as const).sort());
      assert.deepEqual(
        held,
        wanted(kind, kind === ROUTES ? routes : undefined),
        `${kind}, version ${versionOf(set.get(kind) ?? new Map())}`,
      );
    }
  }
}
