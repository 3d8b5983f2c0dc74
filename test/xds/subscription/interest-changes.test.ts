import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { CLUSTER, ENDPOINTS, LISTENER, NO_RESOURCES, ROUTES, type ResourceSet } from '../../../xds/resource-set.ts';
import type { Event, Response } from '../../../xds/subscription/event.ts';
import { step } from '../../../xds/subscription/machine.ts';
import { openState, type State } from '../../../xds/subscription/state.ts';
import { setOf } from '../resources.ts';

const SEED = 20_261_123;
const TYPES = [CLUSTER, ENDPOINTS, LISTENER, ROUTES] as const;
type Type = (typeof TYPES)[number];

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const named = fc.dictionary(name, fc.constantFrom('1', '2', '3'));
const content = fc.record({ clusters: named, endpoints: named, listeners: named, routes: named });
const type = fc.constantFrom(...TYPES);
const names = fc.array(fc.oneof({ weight: 6, arbitrary: name }, { weight: 1, arbitrary: fc.constant('*') }), { maxLength: 3 });

type Operation =
  | { readonly kind: 'publish'; readonly set: ResourceSet }
  | {
      readonly kind: 'amend';
      readonly type: Type;
      readonly subscribe: readonly string[];
      readonly unsubscribe: readonly string[];
    }
  | { readonly kind: 'answer' }
  | { readonly kind: 'reconnect' };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: content.map((all) => ({ kind: 'publish' as const, set: setOf(all) })) },
  {
    weight: 4,
    arbitrary: fc.record({ type, subscribe: names, unsubscribe: names }).map((all) => ({ kind: 'amend' as const, ...all })),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'answer' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reconnect' as const }) },
);

/** What a client keeps of one type: its interest as the protocol document counts it, and what it holds. */
interface Held {
  wildcard: boolean;
  legacy: boolean;
  readonly names: Set<string>;
  readonly has: Map<string, string>;
}

/** A client that changes its mind at random, and keeps only what it was sent. */
class FickleClient {
  #state: State = openState('delta');
  #inbox: Response[] = [];
  #snapshot = 0;
  #set: ResourceSet | undefined;
  readonly held = new Map<Type, Held>();
  #asked = new Set<Type>();

  do(operation: Operation): void {
    switch (operation.kind) {
      case 'publish':
        this.#set = operation.set;
        this.#snapshot += 1;
        return this.#run({ kind: 'set', set: operation.set, snapshot: this.#snapshot });
      case 'amend':
        return this.#amend(operation.type, operation.subscribe, operation.unsubscribe);
      case 'answer':
        return this.answer();
      case 'reconnect':
        return this.#reconnect();
      default:
        return operation satisfies never;
    }
  }

  answer(): void {
    const response = this.#inbox.shift();
    if (response === undefined) return;
    const kind = TYPES.find((known) => known === response.type);
    assert.ok(kind !== undefined);
    const held = this.held.get(kind);
    assert.ok(held !== undefined);
    for (const gone of response.removed) held.has.delete(gone);
    for (const { name, version } of response.resources) if (held.wildcard || held.names.has(name)) held.has.set(name, version);
    this.#request(kind, { nonce: response.nonce });
  }

  get idle(): boolean {
    return this.#inbox.length === 0;
  }

  #amend(kind: Type, subscribe: readonly string[], unsubscribe: readonly string[]): void {
    const first = !this.#asked.has(kind);
    const held = this.held.get(kind) ?? { wildcard: false, legacy: false, names: new Set(), has: new Map() };
    this.held.set(kind, held);
    if (first && subscribe.length === 0 && unsubscribe.length === 0 && (kind === CLUSTER || kind === LISTENER))
      [held.wildcard, held.legacy] = [true, true];
    if (subscribe.length > 0 && held.legacy) [held.wildcard, held.legacy] = [false, false];
    for (const one of subscribe) {
      if (one === '*') [held.wildcard, held.legacy] = [true, false];
      else held.names.add(one);
    }
    for (const one of unsubscribe) {
      if (one === '*') [held.wildcard, held.legacy] = [false, false];
      else held.names.delete(one);
    }
    // What it no longer asks for it forgets, and so does the server.
    if (!held.wildcard) for (const one of [...held.has.keys()]) if (!held.names.has(one)) held.has.delete(one);
    const initialVersions = new Map(first ? held.has : []);
    this.#request(kind, { subscribe, unsubscribe, initialVersions });
  }

  #reconnect(): void {
    this.#state = openState('delta');
    this.#inbox = [];
    this.#asked = new Set();
    if (this.#set !== undefined) this.#run({ kind: 'set', set: this.#set, snapshot: this.#snapshot });
    for (const [kind, { wildcard, legacy, names, has }] of this.held) {
      // A client whose legacy wildcard ended says so by name.
      const subscribe = [...(wildcard && !legacy ? ['*'] : []), ...names];
      if (!wildcard && names.size === 0) {
        has.clear();
        this.held.delete(kind);
        continue;
      }
      this.#request(kind, { subscribe, initialVersions: new Map(has) });
    }
  }

  #request(
    kind: Type,
    request: {
      readonly subscribe?: readonly string[];
      readonly unsubscribe?: readonly string[];
      readonly initialVersions?: ReadonlyMap<string, string>;
      readonly nonce?: string;
    },
  ): void {
    this.#asked.add(kind);
    this.#run({
      kind: 'delta-request',
      type: kind,
      subscribe: [],
      unsubscribe: [],
      initialVersions: new Map(),
      nonce: '',
      ...request,
    });
  }

  #run(event: Event): void {
    const { state, responses } = step(this.#state, event);
    this.#state = state;
    this.#inbox.push(...responses);
  }

  assertHolds(set: ResourceSet): void {
    for (const [kind, { wildcard, names, has }] of this.held) {
      const all = [...(set.get(kind) ?? NO_RESOURCES)].filter(([one]) => wildcard || names.has(one));
      assert.deepEqual(
        Object.fromEntries([...has].sort()),
        Object.fromEntries(all.map(([one, { version }]) => [one, version] as const).sort()),
        kind,
      );
    }
  }
}

describe(`a client that changes its mind (seed ${SEED})`, () => {
  it('holds in the end exactly what it asks for, whatever it unsubscribed, asked for again or asked for all of', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), content, (list, last) => {
        const client = new FickleClient();
        for (const one of list) client.do(one);
        const set = setOf(last);
        client.do({ kind: 'publish', set });
        for (let steps = 0; !client.idle; steps += 1) {
          assert.ok(steps < 10_000, 'the exchange goes on for ever');
          client.answer();
        }
        client.assertHolds(set);
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });
});
