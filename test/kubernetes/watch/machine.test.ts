import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  begin,
  type Failure,
  type Happened,
  type Order,
  PAGE,
  type State,
  step,
  type Told,
} from '../../../kubernetes/watch/machine.ts';
import { apiObject, type ApiObject } from '../../../kubernetes/watch/object.ts';

function object(name: string, resourceVersion: number): ApiObject {
  const made = apiObject({ metadata: { name, namespace: 'shop', resourceVersion: String(resourceVersion) } });
  return made ?? assert.fail();
}

const failed = (failure: Failure): Happened => ({ kind: 'failed', failure });
const LOST = failed({ kind: 'lost', message: 'gone' });
const EXPIRED = failed({ kind: 'expired' });

class Driven {
  state: State;
  orders: Order[] = [];
  told: Told[] = [];

  constructor() {
    const first = begin();
    this.state = first.state;
    if (first.order !== undefined) this.orders.push(first.order);
    this.told.push(...first.told);
  }

  after(...all: readonly Happened[]): Order | undefined {
    let last: Order | undefined;
    for (const happened of all) {
      const { state, order, told } = step(this.state, happened, 0.5);
      this.state = state;
      this.told.push(...told);
      if (order !== undefined) this.orders.push(order);
      last = order;
    }
    return last;
  }
}

const page = (objects: readonly ApiObject[], resourceVersion: string, next = ''): Happened => ({
  kind: 'page',
  objects,
  resourceVersion,
  next,
});

function watching(version = '7'): Driven {
  const driven = new Driven();
  driven.after(page([object('a', 3)], version));
  driven.told = [];
  driven.orders = [];
  return driven;
}

describe('following one resource', () => {
  it('lists page by page, then watches from the version of the list', () => {
    const driven = new Driven();
    assert.deepEqual(driven.after(page([object('a', 3)], '7', 'token')), { kind: 'list', limit: PAGE, next: 'token' });
    const order = driven.after(page([object('b', 4)], '7'));
    assert.ok(order?.kind === 'watch' && order.resourceVersion === '7');
    assert.deepEqual(
      driven.told.map(({ kind }) => kind),
      ['listing', 'put', 'put', 'listed'],
    );
  });

  it('resumes a lost watch after the last version that it heard of, bookmarks included', () => {
    const driven = watching();
    driven.after({ kind: 'put', object: object('b', 9) }, { kind: 'bookmark', resourceVersion: '12' });
    assert.equal(driven.after(LOST)?.kind, 'wait');
    const order = driven.after({ kind: 'due' });
    assert.ok(order?.kind === 'watch' && order.resourceVersion === '12');
  });

  it('waits longer after each failure, 30 s at most, and from the beginning once something was heard', () => {
    const driven = watching();
    const waits: number[] = [];
    for (let count = 0; count < 12; count += 1) {
      const order = driven.after(LOST);
      if (order?.kind === 'wait') waits.push(order.ms);
      driven.after({ kind: 'due' });
    }
    assert.equal(waits[0], 375);
    for (const [at, ms] of waits.entries()) assert.ok(ms <= 30_000 && ms >= (waits[at - 1] ?? 0));
    assert.equal(waits.at(-1), 22_500);
    driven.after({ kind: 'bookmark', resourceVersion: '8' });
    assert.ok(driven.told.some(({ kind }) => kind === 'recovered'));
    const order = driven.after(LOST);
    assert.deepEqual(order, { kind: 'wait', ms: 375 });
  });

  it('lists anew when its version expired, at once the first time', () => {
    const driven = watching();
    assert.deepEqual(driven.after(EXPIRED), { kind: 'list', limit: PAGE, next: '' });
    assert.equal(driven.told.at(-1)?.kind, 'listing');
    assert.equal(driven.after(EXPIRED)?.kind, 'wait');
  });

  it('asks for a list in one piece when its place in a paged one expired', () => {
    const driven = new Driven();
    driven.after(page([object('a', 3)], '7', 'token'));
    assert.deepEqual(driven.after(EXPIRED), { kind: 'list', limit: 0, next: '' });
  });

  it('lists anew when a bookmark is older than what it has: the server was restored from a backup', () => {
    const driven = watching('100');
    assert.deepEqual(driven.after({ kind: 'bookmark', resourceVersion: '60' }), { kind: 'list', limit: PAGE, next: '' });
  });

  it('waits as long as the server asks, and lists when watches are refused again and again', () => {
    const driven = watching();
    assert.deepEqual(driven.after(failed({ kind: 'refused', message: 'busy', retryAfterMs: 9_000 })), {
      kind: 'wait',
      ms: 9_000,
    });
    for (let count = 0; count < 3; count += 1) {
      assert.equal(driven.after({ kind: 'due' })?.kind, 'watch');
      driven.after(failed({ kind: 'refused', message: '500', retryAfterMs: undefined }));
    }
    assert.equal(driven.after({ kind: 'due' })?.kind, 'list');
  });

  it('goes on at once when the server ends a watch in order, but not in a loop', () => {
    const driven = watching();
    assert.equal(driven.after({ kind: 'put', object: object('b', 9) }, { kind: 'ended' })?.kind, 'watch');
    assert.equal(driven.after({ kind: 'ended' })?.kind, 'watch');
    assert.equal(driven.after({ kind: 'ended' })?.kind, 'wait');
  });

  /** A server with a history that is compacted, and connections that fail: in the end its follower has what it has. */
  it('has in the end what the server has, whatever failed on the way', () => {
    const doing = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), name: fc.nat(8), remove: fc.boolean() }),
      fc.record({ kind: fc.constant('serve' as const), pages: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('fail' as const) }),
      fc.record({ kind: fc.constant('end' as const) }),
      fc.record({ kind: fc.constant('compact' as const) }),
    );
    fc.assert(
      fc.property(fc.array(doing, { maxLength: 60 }), (story) => {
        const server = new Map<string, ApiObject>();
        const history: { readonly version: number; readonly happened: Happened }[] = [];
        const seen = new Map<string, boolean>();
        let [version, compacted] = [1, 0];
        const driven = new Driven();
        const follow = (): void => {
          for (const told of driven.told.splice(0)) {
            if (told.kind === 'listing') for (const name of seen.keys()) seen.set(name, false);
            if (told.kind === 'put') for (const { name } of told.objects) seen.set(name, true);
            if (told.kind === 'gone') seen.delete(told.object.name);
            if (told.kind === 'listed') for (const [name, here] of seen) if (!here) seen.delete(name);
          }
        };
        const serve = (pages: number): void => {
          const { phase } = driven.state;
          if (phase.kind === 'wait') driven.after({ kind: 'due' });
          else if (phase.kind === 'list') {
            // A paged list is one version of the server, as its `continue` has it.
            const all = [...server.values()];
            const expires = phase.next !== '' && Number(phase.next.split('/')[1]) < compacted;
            if (expires) driven.after(EXPIRED);
            else if (phase.next === '' && pages > 1 && phase.limit > 0)
              driven.after(page(all, String(version), `more/${version}`));
            else if (phase.next === '') driven.after(page(all, String(version)));
            else driven.after(page([], phase.next.split('/')[1] ?? ''));
          } else {
            const from = Number(phase.resourceVersion);
            if (from < compacted) driven.after(EXPIRED);
            else {
              const next = history.find((one) => one.version > from);
              if (next !== undefined) driven.after(next.happened);
            }
          }
          follow();
        };
        for (const one of story) {
          if (one.kind === 'write') {
            version += 1;
            const made = object(`o${one.name}`, version);
            if (one.remove) server.delete(made.name);
            else server.set(made.name, made);
            history.push({ version, happened: { kind: one.remove ? 'gone' : 'put', object: made } });
          } else if (one.kind === 'serve') serve(one.pages);
          else if (one.kind === 'fail') driven.after(LOST);
          else if (one.kind === 'end') driven.after({ kind: 'ended' });
          else compacted = version;
          follow();
        }
        for (let count = 0; count < 200 + history.length; count += 1) serve(1);
        assert.deepEqual([...seen.keys()].sort(), [...server.keys()].sort());
      }),
      { seed: 20261121, numRuns: 500 },
    );
  });
});
