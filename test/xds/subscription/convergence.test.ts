import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Variant } from '../../../xds/subscription/event.ts';
import { setOf } from '../resources.ts';
import { ModelClient } from './model-client.ts';

const SEED = 20_261_121;

/** A mesh in small: which services there are, their revisions, and what each route points to. */
interface World {
  readonly services: readonly {
    readonly name: string;
    readonly revision: number;
    readonly endpoints: number;
    readonly bad: boolean;
  }[];
  readonly routes: readonly {
    readonly name: string;
    readonly revision: number;
    readonly to: readonly number[];
    readonly bad: boolean;
    readonly listener: number;
  }[];
}

type Operation =
  | { readonly kind: 'publish'; readonly world: World }
  | { readonly kind: 'take' }
  | { readonly kind: 'drain' }
  /** The connection is lost, `missed` is published meanwhile, and the client comes back. */
  | { readonly kind: 'reconnect'; readonly missed: World | undefined }
  | { readonly kind: 'release' };

const bad = (may: boolean): fc.Arbitrary<boolean> => (may ? fc.nat(5).map((n) => n === 0) : fc.constant(false));

function worlds(mayBeBad: boolean): fc.Arbitrary<World> {
  const revision = fc.nat(2);
  return fc.record({
    services: fc.uniqueArray(
      fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e'), revision, endpoints: revision, bad: bad(mayBeBad) }),
      { selector: ({ name }) => name, maxLength: 5 },
    ),
    routes: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom('r', 's', 't'),
        revision,
        to: fc.array(fc.nat(9), { maxLength: 3 }),
        bad: bad(mayBeBad),
        listener: fc.nat(1),
      }),
      { selector: ({ name }) => name, maxLength: 3 },
    ),
  });
}

function operations(mayBeBad: boolean, mayRelease: boolean): fc.Arbitrary<readonly Operation[]> {
  return fc.array(
    fc.oneof(
      { weight: 3, arbitrary: worlds(mayBeBad).map((world) => ({ kind: 'publish' as const, world })) },
      { weight: 8, arbitrary: fc.constant({ kind: 'take' as const }) },
      { weight: 4, arbitrary: fc.constant({ kind: 'drain' as const }) },
      {
        weight: 1,
        arbitrary: fc.option(worlds(mayBeBad), { nil: undefined }).map((missed) => ({ kind: 'reconnect' as const, missed })),
      },
      ...(mayRelease ? [{ weight: 1, arbitrary: fc.constant({ kind: 'release' as const }) }] : []),
    ),
    { maxLength: 60 },
  );
}

function compiled({ services, routes }: World, generation = '') {
  const mark = (revision: number, isBad: boolean): string => `${generation}${revision}${isBad ? '!' : ''}`;
  const named = services.map(({ name }) => name);
  const to = (at: readonly number[]): string[] =>
    named.length === 0 ? [] : at.map((index) => named[index % named.length] ?? '');
  const listeners = [0, 1].map((number) => routes.filter(({ listener }) => listener === number).map(({ name }) => name));
  return setOf({
    clusters: Object.fromEntries(services.map((service) => [service.name, mark(service.revision, service.bad)])),
    endpoints: Object.fromEntries(services.map(({ name, endpoints }) => [name, mark(endpoints, false)])),
    listeners: Object.fromEntries(listeners.map((names, number) => [`l${number}`, [mark(0, false), ...names].join(' ')])),
    routes: Object.fromEntries(routes.map((route) => [route.name, [mark(route.revision, route.bad), ...to(route.to)].join(' ')])),
  });
}

function drain(client: ModelClient): void {
  for (let steps = 0; !client.idle; steps += 1) {
    assert.ok(steps < 10_000, 'the exchange goes on for ever');
    client.take();
  }
}

function run(variant: Variant, checkRemovals: boolean, list: readonly Operation[], last: World): void {
  const client = new ModelClient(variant, checkRemovals);
  client.connect();
  let snapshot = 0;
  for (const operation of list) {
    if (operation.kind === 'publish') client.publish(compiled(operation.world), (snapshot += 1));
    else if (operation.kind === 'take') client.take();
    else if (operation.kind === 'drain') drain(client);
    else if (operation.kind === 'release') client.release();
    else {
      if (operation.missed !== undefined) client.miss(compiled(operation.missed), (snapshot += 1));
      client.connect();
    }
  }
  // Whatever was refused, all is well once the configuration is: without a release.
  const final = compiled(last, 'final');
  client.publish(final, (snapshot += 1));
  drain(client);
  client.assertHolds(final);
  assert.deepEqual(client.settled, { kind: 'settled', snapshot, accepted: true });
  const sent = client.sentResources;
  client.publish(compiled(last, 'final'), (snapshot += 1));
  assert.equal(client.settled?.snapshot, snapshot);
  if (variant === 'delta') {
    client.connect();
    drain(client);
    client.assertHolds(final);
    assert.equal(client.sentResources, sent, 'a reconnect with equal versions sends nothing again');
  }
}

describe(`subscriptions converge (seed ${SEED})`, () => {
  const parameters = { seed: SEED, numRuns: 1500 };

  it('delta: with NACKs and reconnects; no route before its cluster, no cluster gone before its routes', () => {
    fc.assert(
      fc.property(operations(true, false), worlds(false), (list, last) => run('delta', true, list, last)),
      parameters,
    );
  });

  it('delta: with releases', () => {
    fc.assert(
      fc.property(operations(false, true), worlds(false), (list, last) => run('delta', false, list, last)),
      parameters,
    );
  });

  it('state of the world: no cluster gone before its routes', () => {
    const list = operations(true, false).map((all) => all.filter(({ kind }) => kind !== 'reconnect'));
    fc.assert(
      fc.property(list, worlds(false), (operations, last) => run('sotw', true, operations, last)),
      parameters,
    );
  });

  it('state of the world: with reconnects and releases', () => {
    fc.assert(
      fc.property(operations(true, true), worlds(false), (list, last) => run('sotw', false, list, last)),
      parameters,
    );
  });
});
