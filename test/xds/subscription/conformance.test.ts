import assert from 'node:assert/strict';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES } from '../../../xds/resource-set.ts';
import { Stream } from './client.ts';

/** Sentences of the xDS protocol document, each by the section that has it. What other tests here say already is not repeated. */
const ONE = { clusters: { a: '1', b: '1' }, endpoints: { a: '1', b: '1' }, listeners: { l: '1' }, routes: { r: '1', s: '1' } };

function delta(): Stream {
  const stream = new Stream('delta');
  stream.set(ONE);
  stream.delta(CLUSTER);
  stream.delta(ENDPOINTS, { subscribe: ['a', 'b'] });
  stream.delta(LISTENER);
  stream.delta(ROUTES, { subscribe: ['r'] });
  stream.ackAll();
  return stream;
}

function sotw(): Stream {
  const stream = new Stream('sotw');
  stream.set(ONE);
  stream.sotw(CLUSTER);
  stream.sotw(ENDPOINTS, { names: ['a', 'b'] });
  stream.sotw(LISTENER);
  stream.sotw(ROUTES, { names: ['r'] });
  for (const type of [CLUSTER, ENDPOINTS, LISTENER, ROUTES] as const) stream.ack(type);
  return stream;
}

const outstanding = (stream: Stream, type: typeof ROUTES | typeof CLUSTER | typeof LISTENER) =>
  (stream.state.types.get(type)?.outstanding ?? []).map(({ nonce }) => nonce);

describe('the xDS protocol', () => {
  describe('ACK/NACK and versioning', () => {
    it('an ACK that comes twice changes nothing', () => {
      const stream = delta();
      stream.set({ ...ONE, routes: { r: '2', s: '1' } });
      const nonce = stream.nonce(ROUTES);
      stream.ack(ROUTES);
      const { state } = stream;
      assert.deepEqual(stream.delta(ROUTES, { nonce }), []);
      assert.deepEqual(stream.state.types.get(ROUTES), state.types.get(ROUTES));
    });

    it('a NACK that comes twice, or after the ACK, is none', () => {
      for (const stream of [delta(), sotw()]) {
        stream.set({ ...ONE, listeners: { l: '2' } });
        const nonce = stream.nonce(LISTENER);
        stream.ack(LISTENER);
        const again = { nonce, error: 'late' };
        assert.deepEqual(stream.state.variant === 'delta' ? stream.delta(LISTENER, again) : stream.sotw(LISTENER, again), []);
        assert.equal(stream.state.types.get(LISTENER)?.rejected.size, 0);
        assert.ok(!stream.reports.some(({ kind }) => kind === 'nacked'));
      }
    });

    it('of two responses under way each is answered by its own nonce, in any order', () => {
      const stream = delta();
      stream.set({ ...ONE, listeners: { l: '2' } });
      stream.set({ ...ONE, listeners: { l: '3' } });
      const [first = '', second = ''] = outstanding(stream, LISTENER);
      stream.delta(LISTENER, { nonce: second });
      assert.deepEqual(outstanding(stream, LISTENER), [first]);
      assert.equal(stream.settled, undefined);
      stream.delta(LISTENER, { nonce: first });
      assert.equal(stream.settled, 3);
    });

    it('a resource that was refused and comes back to what the client has is sent, to end the refusal', () => {
      const stream = delta();
      stream.set({ ...ONE, routes: { r: 'bad', s: '1' } });
      stream.nack(ROUTES, 'no');
      assert.deepEqual(stream.set(ONE), ['RouteConfiguration +r']);
      stream.ack(ROUTES);
      assert.equal(stream.state.types.get(ROUTES)?.rejected.size, 0);
    });

    it('a refused resource that goes away is refused no more', () => {
      const stream = delta();
      stream.set({ ...ONE, routes: { r: 'bad', s: '1' } });
      stream.nack(ROUTES, 'no');
      assert.deepEqual(stream.set({ ...ONE, routes: { s: '1' } }), ['RouteConfiguration -r']);
      stream.ack(ROUTES);
      assert.equal(stream.state.types.get(ROUTES)?.rejected.size, 0);
      assert.equal(stream.settled, 3);
    });
  });

  describe('reconnecting', () => {
    it('a nonce of an earlier stream means nothing in the first request of a new one', () => {
      for (const variant of ['delta', 'sotw'] as const) {
        const stream = new Stream(variant);
        stream.set(ONE);
        const sent =
          variant === 'delta'
            ? stream.delta(CLUSTER, { nonce: '17' })
            : stream.sotw(CLUSTER, { nonce: '17', version: 'of before' });
        assert.deepEqual(sent, ['Cluster +a +b']);
        assert.ok(!stream.reports.some(({ kind }) => kind === 'acked' || kind === 'stale'));
      }
    });

    it('an error in the first request of a stream is not held against anything', () => {
      const stream = new Stream('delta');
      stream.set(ONE);
      assert.deepEqual(stream.delta(CLUSTER, { nonce: '17', error: 'of before' }), ['Cluster +a +b']);
      assert.equal(stream.state.types.get(CLUSTER)?.rejected.size, 0);
    });

    it('versions that are brought along for what is not subscribed to keep nothing from being sent when it is', () => {
      const stream = new Stream('delta');
      stream.set(ONE);
      stream.delta(ROUTES, { subscribe: ['r'], initialVersions: { r: 'r@1', s: 's@1' } });
      assert.deepEqual(stream.delta(ROUTES, { subscribe: ['s'] }), ['RouteConfiguration +s']);
    });

    it('what was subscribed to and is gone meanwhile is told to be gone', () => {
      const stream = new Stream('delta');
      stream.set({ ...ONE, routes: { s: '1' } });
      stream.delta(CLUSTER, { initialVersions: { a: 'a@1', b: 'b@1' } });
      stream.delta(ENDPOINTS, { subscribe: ['a', 'b'], initialVersions: { a: 'a@1', b: 'b@1' } });
      stream.delta(LISTENER, { initialVersions: { l: 'l@1' } });
      stream.delta(ROUTES, { subscribe: ['r', 's'], initialVersions: { r: 'r@1', s: 's@1' } });
      assert.deepEqual(stream.ackAll(), ['Listener', 'RouteConfiguration -r']);
      assert.equal(stream.settled, 1);
    });

    it('a set that is another object with the same content sends nothing to who reconnects, whichever replica made it', () => {
      const stream = new Stream('delta');
      stream.set(structuredClone(ONE));
      assert.deepEqual(stream.delta(ROUTES, { subscribe: ['r', 's'], initialVersions: { r: 'r@1', s: 's@1' } }), []);
      assert.deepEqual(stream.set(structuredClone(ONE)), []);
    });
  });

  describe('subscribing and unsubscribing', () => {
    it('SotW: a name that was dropped is sent again when it is named again, changed or not', () => {
      const stream = sotw();
      stream.sotw(ROUTES, { nonce: stream.nonce(ROUTES), names: [] });
      assert.deepEqual(stream.set({ ...ONE, routes: { r: '2', s: '1' } }), []);
      assert.deepEqual(stream.set(ONE), []);
      assert.deepEqual(stream.sotw(ROUTES, { nonce: stream.nonce(ROUTES), names: ['r'] }), ['RouteConfiguration +r']);
    });

    it('SotW: the same names in another order are the same names', () => {
      const stream = sotw();
      stream.set({ ...ONE, endpoints: { a: '2', b: '1' } });
      assert.deepEqual(stream.sotw(ENDPOINTS, { nonce: stream.nonce(ENDPOINTS), names: ['b', 'a'] }), []);
      assert.deepEqual([...(stream.state.types.get(ENDPOINTS)?.interest.names ?? [])].sort(), ['a', 'b']);
    });

    it('SotW: a name named twice is one name, and does not hide that another was dropped', () => {
      const stream = sotw();
      stream.set({ ...ONE, endpoints: { a: '2', b: '1' } });
      stream.sotw(ENDPOINTS, { nonce: stream.nonce(ENDPOINTS), names: ['a', 'a'] });
      assert.deepEqual(stream.set({ ...ONE, endpoints: { a: '2', b: '2' } }), []);
    });

    it('delta: subscribing again to what the client has sends it again', () => {
      assert.deepEqual(delta().delta(ROUTES, { subscribe: ['r'] }), ['RouteConfiguration +r']);
    });

    it('delta: subscribed and unsubscribed in one request is not subscribed', () => {
      const stream = delta();
      assert.deepEqual(stream.delta(ROUTES, { subscribe: ['s'], unsubscribe: ['s'] }), []);
      assert.deepEqual(stream.set({ ...ONE, routes: { r: '1', s: '2' } }), []);
    });

    it('delta: unsubscribing from what was never subscribed to is no error', () => {
      assert.deepEqual(delta().delta(ROUTES, { unsubscribe: ['nothing', 's'] }), []);
    });

    it('delta: what does not exist is said to be absent at once, even while others are under way, and sent when it exists', () => {
      const stream = delta();
      stream.set({ ...ONE, clusters: { a: '2', b: '1' } });
      assert.deepEqual(stream.delta(ROUTES, { subscribe: ['none'] }), ['RouteConfiguration -none']);
      stream.ackAll();
      assert.deepEqual(stream.set({ ...ONE, clusters: { a: '2', b: '1' }, routes: { ...ONE.routes, none: '1' } }), [
        'RouteConfiguration +none',
      ]);
    });
  });

  describe('removal', () => {
    it('delta: what goes and comes back with the same bytes is sent again', () => {
      const stream = delta();
      assert.deepEqual(stream.set({ ...ONE, routes: { s: '1' } }), ['RouteConfiguration -r']);
      stream.ack(ROUTES);
      assert.deepEqual(stream.set(ONE), ['RouteConfiguration +r']);
    });

    it('delta: what comes back before the client was told that it goes is not sent at all', () => {
      const stream = delta();
      assert.deepEqual(stream.set({ ...ONE, clusters: { a: '2' } }), ['Cluster +a', 'ClusterLoadAssignment +a']);
      assert.ok(stream.state.held);
      assert.deepEqual(stream.set({ ...ONE, clusters: { a: '2', b: '1' } }), []);
      assert.deepEqual(stream.ackAll(), []);
      assert.equal(stream.state.held, false);
    });

    it('SotW: what is named and gone is not mentioned, and sent when it comes back', () => {
      const stream = sotw();
      assert.deepEqual(stream.set({ ...ONE, routes: { s: '1' } }), []);
      assert.deepEqual(stream.set(ONE), ['RouteConfiguration +r']);
    });
  });

  describe('wildcards', () => {
    it('delta: a name ends the wildcard by habit; only what is named is kept and followed', () => {
      const stream = delta();
      assert.deepEqual(stream.delta(CLUSTER, { subscribe: ['a'] }), ['Cluster +a', 'ClusterLoadAssignment +a']);
      stream.ackAll();
      assert.deepEqual(stream.set({ ...ONE, clusters: { a: '1', b: '2' } }), []);
    });

    it('delta: * and a name keep the wildcard', () => {
      const stream = delta();
      stream.delta(CLUSTER, { subscribe: ['*', 'a'] });
      stream.ackAll();
      assert.deepEqual(stream.set({ ...ONE, clusters: { a: '1', b: '2' } })[0], 'Cluster +b');
    });

    it('delta: a name unsubscribed under a wildcard is sent, or said to be gone, since the wildcard may cover it', () => {
      const stream = new Stream('delta');
      stream.set(ONE);
      stream.delta(ROUTES, { subscribe: ['*', 'r', 'none'] });
      stream.ackAll();
      assert.deepEqual(stream.delta(ROUTES, { unsubscribe: ['r'] }), ['RouteConfiguration +r']);
      stream.ackAll();
      assert.deepEqual(stream.delta(ROUTES, { unsubscribe: ['none'] }), ['RouteConfiguration -none']);
    });

    it('delta: after unsubscribing from * the names go on, and * again sends only what is not there', () => {
      const stream = new Stream('delta');
      stream.set(ONE);
      stream.delta(ROUTES, { subscribe: ['*', 'r'] });
      stream.ackAll();
      assert.deepEqual(stream.delta(ROUTES, { unsubscribe: ['*'] }), []);
      assert.deepEqual(stream.set({ ...ONE, routes: { r: '1', s: '2' } }), []);
      assert.deepEqual(stream.delta(ROUTES, { subscribe: ['*'] }), ['RouteConfiguration +s']);
    });

    it('delta: a wildcard by habit is ended by unsubscribing from *', () => {
      const stream = delta();
      stream.delta(CLUSTER, { unsubscribe: ['*'] });
      assert.deepEqual(stream.set({ ...ONE, clusters: { a: '2', b: '2' } }), []);
    });

    it('SotW: * beside names is a wildcard by name; names alone end it', () => {
      const stream = new Stream('sotw');
      stream.set(ONE);
      assert.deepEqual(stream.sotw(CLUSTER, { names: ['*', 'a'] }), ['Cluster +a +b']);
      assert.deepEqual(stream.sotw(CLUSTER, { names: ['a'], nonce: stream.nonce(CLUSTER), version: 'x' }), ['Cluster +a']);
      stream.ack(CLUSTER);
      assert.deepEqual(stream.set({ ...ONE, clusters: { a: '1', b: '2' } }), []);
    });

    it('SotW: no names after a wildcard by habit goes on meaning all', () => {
      const stream = sotw();
      stream.sotw(CLUSTER, { nonce: stream.nonce(CLUSTER), version: 'x' });
      assert.deepEqual(stream.set({ ...ONE, clusters: { a: '1', b: '2' } })[0], 'Cluster +a +b');
    });
  });
});
