import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { TYPE_URLS } from '../../../xds/resource-set.ts';
import type { Event, Variant } from '../../../xds/subscription/event.ts';
import { step } from '../../../xds/subscription/machine.ts';
import { openState } from '../../../xds/subscription/state.ts';
import { setOf } from '../resources.ts';

const SEED = 20_261_122;
const name = fc.constantFrom('a', 'b', 'c', '*', '', '__proto__', 'constructor');
const names = fc.array(name, { maxLength: 4 });
const type = fc.constantFrom(...TYPE_URLS);
const nonce = fc.oneof(fc.constant(''), fc.nat(30).map(String), fc.string());
const error = fc.option(fc.string(), { nil: undefined });
const maybe = (value: string | undefined) => (value === undefined ? {} : { error: value });

const named = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2', '3'));
const change: fc.Arbitrary<Event> = fc.oneof(
  fc
    .record({ clusters: named, endpoints: named, listeners: named, routes: named, extensions: named })
    .chain((content) => fc.nat(40).map((snapshot): Event => ({ kind: 'set', set: setOf(content), snapshot }))),
  fc.constant<Event>({ kind: 'release' }),
);
const request: Record<Variant, fc.Arbitrary<Event>> = {
  delta: fc
    .record({ type, nonce, subscribe: names, unsubscribe: names, initialVersions: fc.dictionary(name, fc.string()), error })
    .map(({ error, initialVersions, ...rest }): Event => ({
      kind: 'delta-request',
      ...rest,
      initialVersions: new Map(Object.entries(initialVersions)),
      ...maybe(error),
    })),
  sotw: fc
    .record({ type, nonce, names, version: fc.string(), error })
    .map(({ error, ...rest }): Event => ({ kind: 'sotw-request', ...rest, ...maybe(error) })),
};

for (const variant of ['delta', 'sotw'] as const) {
  describe(`a hostile client over ${variant} (seed ${SEED})`, () => {
    it('gets nothing that is not in the set, at most once in a step, and breaks nothing', () => {
      fc.assert(
        fc.property(fc.array(fc.oneof(change, request[variant], request[variant]), { maxLength: 40 }), (events) => {
          let state = openState(variant);
          for (const event of events) {
            const before = state.snapshot ?? -1;
            const next = step(state, event);
            state = next.state;
            assert.ok((state.snapshot ?? -1) >= before);
            const seen = new Set<string>();
            for (const response of next.responses) {
              if (variant === 'sotw') assert.deepEqual(response.removed, []);
              for (const resource of response.resources) {
                const mine = state.set.get(response.type)?.get(resource.name);
                const kept = variant === 'sotw' && mine === undefined; // a cluster that goes away later
                assert.ok(mine === resource || kept, `${resource.name} of ${response.type}`);
                const key = `${response.type} ${resource.name}`;
                assert.ok(variant === 'sotw' || !seen.has(key), `${key} twice`);
                seen.add(key);
              }
              for (const gone of response.removed)
                assert.ok(!(state.set.get(response.type)?.has(gone) ?? false), `${gone} exists`);
            }
          }
        }),
        { seed: SEED, numRuns: 3000 },
      );
    });
  });
}
