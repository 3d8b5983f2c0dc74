import assert from 'node:assert/strict';
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES, versionOf } from '../../../xds/resource-set.ts';
import { setOf } from '../resources.ts';
import { Stream } from './client.ts';

const ONE = { clusters: { a: '1', b: '1' }, endpoints: { a: '1', b: '1' }, listeners: { l: '1' }, routes: { r: '1' } };

function settled(): Stream {
  const stream = new Stream('sotw');
  stream.set(ONE);
  stream.sotw(CLUSTER);
  stream.sotw(ENDPOINTS, { names: ['a', 'b'] });
  stream.ack(CLUSTER);
  stream.ack(ENDPOINTS);
  stream.sotw(LISTENER);
  stream.sotw(ROUTES, { names: ['r'] });
  stream.ack(LISTENER);
  stream.ack(ROUTES);
  assert.equal(stream.settled, 1);
  return stream;
}

describe('state-of-the-world subscription', () => {
  it('sends whole types, and of others what was named', () => {
    const stream = new Stream('sotw');
    stream.set(ONE);
    assert.deepEqual(stream.sotw(CLUSTER), ['Cluster +a +b']);
    assert.deepEqual(stream.sotw(ENDPOINTS, { names: ['b'] }), ['ClusterLoadAssignment +b']);
    assert.deepEqual(stream.sotw(ENDPOINTS, { names: ['a', 'b'], nonce: stream.nonce(ENDPOINTS) }), ['ClusterLoadAssignment +a']);
  });

  it('versions a type by its content', () => {
    const stream = new Stream('sotw');
    stream.set(ONE);
    stream.sotw(CLUSTER);
    assert.equal(stream.last[0]?.version, versionOf(setOf(ONE).get(CLUSTER) ?? new Map()));
  });

  it('does not send a whole type again to a client that reconnects with its version', () => {
    const stream = new Stream('sotw');
    const set = setOf(ONE);
    stream.set(set);
    assert.deepEqual(stream.sotw(CLUSTER, { version: versionOf(set.get(CLUSTER) ?? new Map()) }), []);
    assert.deepEqual(stream.sotw(LISTENER, { version: 'another' }), ['Listener +l']);
    assert.deepEqual(stream.sotw(ROUTES, { version: 'another', names: ['r'] }), ['RouteConfiguration +r']);
  });

  it('sends no type that did not change, and settles at once when none did', () => {
    const stream = settled();
    assert.deepEqual(stream.set({ ...ONE }), []);
    assert.equal(stream.settled, 2);
    assert.deepEqual(stream.set({ ...ONE, listeners: { l: '2' } }), ['Listener +l']);
    stream.ack(LISTENER);
    assert.equal(stream.settled, 3);
  });

  it('makes before it breaks: the old cluster stays in the list until the route has moved', () => {
    const stream = settled();
    const next = { clusters: { a: '1', c: '1' }, endpoints: { a: '1', c: '1' }, listeners: { l: '1' }, routes: { r: '2' } };
    assert.deepEqual(stream.set(next), ['Cluster +a +c +b']);
    assert.deepEqual(stream.sotw(ENDPOINTS, { names: ['a', 'b', 'c'], nonce: stream.nonce(ENDPOINTS) }), [
      'ClusterLoadAssignment +c',
    ]);
    assert.deepEqual(stream.ack(CLUSTER), []);
    assert.deepEqual(stream.ack(ENDPOINTS), ['RouteConfiguration +r']);
    assert.deepEqual(stream.ack(ROUTES), ['Cluster +a +c']);
    stream.ack(CLUSTER);
    assert.equal(stream.settled, 2);
  });

  it('after a NACK keeps quiet until the type changes', () => {
    const stream = settled();
    assert.deepEqual(stream.set({ ...ONE, listeners: { l: 'bad' } }), ['Listener +l']);
    assert.deepEqual(stream.nack(LISTENER, 'Error adding/updating listener(s) l: bad'), []);
    assert.deepEqual(stream.set({ ...ONE, listeners: { l: 'bad' } }), []);
    assert.deepEqual(stream.set({ ...ONE, listeners: { l: 'good' } }), ['Listener +l']);
    stream.ack(LISTENER);
    assert.equal(stream.state.types.get(LISTENER)?.rejected.size, 0);
  });

  it('answers nothing to a stale nonce, and takes no names from it', () => {
    const stream = settled();
    const stale = stream.nonce(ROUTES);
    stream.set({ ...ONE, routes: { r: '2', s: '1' } });
    assert.deepEqual(stream.sotw(ROUTES, { nonce: stale, names: ['r', 's'] }), []);
    assert.deepEqual(stream.reports, [{ kind: 'stale', type: ROUTES, nonce: stale }]);
    assert.deepEqual(stream.sotw(ROUTES, { nonce: stream.nonce(ROUTES), names: ['r', 's'] }), ['RouteConfiguration +s']);
  });

  it('stops sending what is no longer named', () => {
    const stream = settled();
    stream.sotw(ENDPOINTS, { nonce: stream.nonce(ENDPOINTS), names: ['a'] });
    assert.deepEqual(stream.set({ ...ONE, endpoints: { a: '1', b: '2' } }), []);
  });

  it('a type that was named and then no more means nothing, not everything', () => {
    const stream = new Stream('sotw');
    stream.set(ONE);
    assert.deepEqual(stream.sotw(CLUSTER, { names: ['a'] }), ['Cluster +a']);
    stream.sotw(CLUSTER, { names: [], nonce: stream.nonce(CLUSTER) });
    assert.equal(stream.state.types.get(CLUSTER)?.interest.wildcard, 'none');
  });

  it('sends the same again to a client that asks again without a change', () => {
    const stream = settled();
    assert.deepEqual(stream.sotw(ENDPOINTS, { nonce: stream.nonce(ENDPOINTS), names: ['a', 'b'] }), [
      'ClusterLoadAssignment +a +b',
    ]);
  });
});
