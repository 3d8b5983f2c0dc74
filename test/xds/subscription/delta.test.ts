import assert from 'node:assert/strict';
import { CLUSTER, ENDPOINTS, EXTENSION_CONFIG, LISTENER, ROUTES } from '../../../xds/resource-set.ts';
import { Stream } from './client.ts';

const ONE = { clusters: { a: '1', b: '1' }, endpoints: { a: '1', b: '1' }, listeners: { l: '1' }, routes: { r: '1' } };

/** A stream on which a client has asked for and accepted all of ONE. */
function settled(): Stream {
  const stream = new Stream('delta');
  stream.set(ONE);
  stream.delta(CLUSTER);
  stream.delta(ENDPOINTS, { subscribe: ['a', 'b'] });
  stream.ack(CLUSTER);
  stream.ack(ENDPOINTS);
  stream.delta(LISTENER);
  stream.delta(ROUTES, { subscribe: ['r'] });
  stream.ack(LISTENER);
  stream.ack(ROUTES);
  assert.equal(stream.settled, 1);
  return stream;
}

describe('delta subscription', () => {
  it('sends nothing before there is a set, and all that was asked for once there is', () => {
    const stream = new Stream('delta');
    assert.deepEqual(stream.delta(CLUSTER), []);
    assert.deepEqual(stream.set(ONE), ['Cluster +a +b']);
  });

  it('takes a first request without names as a wildcard for clusters and listeners, not for endpoints and routes', () => {
    const stream = new Stream('delta');
    stream.set(ONE);
    assert.deepEqual(stream.delta(CLUSTER), ['Cluster +a +b']);
    assert.deepEqual(stream.delta(LISTENER), ['Listener +l']);
    assert.deepEqual(stream.delta(ENDPOINTS), []);
    assert.deepEqual(stream.delta(ROUTES), []);
  });

  it('answers a wildcard over nothing with an empty response, so that the client does not wait', () => {
    const stream = new Stream('delta');
    stream.set({});
    assert.deepEqual(stream.delta(CLUSTER), ['Cluster']);
    assert.deepEqual(stream.delta(LISTENER), ['Listener']);
  });

  it('sends on demand only what was named, and says so of what does not exist', () => {
    const stream = new Stream('delta');
    stream.set(ONE);
    assert.deepEqual(stream.delta(ENDPOINTS, { subscribe: ['b', 'none'] }), ['ClusterLoadAssignment +b -none']);
    assert.deepEqual(stream.delta(ENDPOINTS, { subscribe: ['a'] }), ['ClusterLoadAssignment +a']);
  });

  it('takes * as a wildcard by name, beside names', () => {
    const stream = new Stream('delta');
    stream.set(ONE);
    assert.deepEqual(stream.delta(ROUTES, { subscribe: ['*', 'r'] }), ['RouteConfiguration +r']);
    stream.ack(ROUTES);
    assert.deepEqual(stream.set({ ...ONE, routes: { r: '1', s: '1' } }), ['RouteConfiguration +s']);
    stream.ack(ROUTES);
    stream.delta(ROUTES, { unsubscribe: ['*'] });
    assert.deepEqual(stream.set({ ...ONE, routes: { r: '2', s: '2' } }), ['RouteConfiguration +r']);
  });

  it('sends again nothing that a reconnecting client still has', () => {
    const stream = new Stream('delta');
    stream.set(ONE);
    assert.deepEqual(stream.delta(CLUSTER, { initialVersions: { a: 'a@1', b: 'b@1' } }), ['Cluster']);
    assert.deepEqual(stream.delta(ENDPOINTS, { subscribe: ['a', 'b'], initialVersions: { a: 'a@1', b: 'b@1' } }), []);
    stream.ackAll();
    assert.deepEqual(stream.delta(LISTENER, { initialVersions: { l: 'l@1' } }), ['Listener']);
    stream.ackAll();
    assert.deepEqual(stream.delta(ROUTES, { subscribe: ['r'], initialVersions: { r: 'r@1' } }), []);
    assert.equal(stream.settled ?? 1, 1);
  });

  it('sends a reconnecting client only what changed, and takes away what it has too much only when all is in place', () => {
    const stream = new Stream('delta');
    stream.set({ ...ONE, clusters: { a: '2', b: '1' } });
    assert.deepEqual(stream.delta(CLUSTER, { initialVersions: { a: 'a@1', b: 'b@1', old: 'old@1' } }), ['Cluster +a']);
    stream.delta(ENDPOINTS, { subscribe: ['a', 'b'], initialVersions: { a: 'a@1', b: 'b@1' } });
    stream.delta(LISTENER, { initialVersions: { l: 'l@0' } });
    assert.ok(stream.state.held);
    assert.deepEqual(stream.delta(ROUTES, { subscribe: ['r'], initialVersions: { r: 'r@1' } }), []);
    assert.deepEqual(stream.ackAll(), ['Listener +l', 'Cluster -old']);
  });

  it('sends a change only of what changed', () => {
    const stream = settled();
    assert.deepEqual(stream.set({ ...ONE, routes: { r: '2' } }), ['RouteConfiguration +r']);
  });

  it('counts a set that changes nothing as settled at once', () => {
    const stream = settled();
    assert.deepEqual(stream.set({ ...ONE }), []);
    assert.equal(stream.settled, 2);
  });

  it('makes before it breaks: cluster, endpoints, then route, then the old cluster away', () => {
    const stream = settled();
    const next = { clusters: { a: '1', c: '1' }, endpoints: { a: '1', c: '1' }, listeners: { l: '1' }, routes: { r: '2' } };
    assert.deepEqual(stream.set(next), ['Cluster +c']);
    assert.deepEqual(stream.delta(ENDPOINTS, { subscribe: ['c'] }), ['ClusterLoadAssignment +c']);
    assert.deepEqual(stream.ack(CLUSTER), []);
    assert.deepEqual(stream.ack(ENDPOINTS), ['RouteConfiguration +r']);
    assert.deepEqual(stream.ack(ROUTES), ['Cluster -b', 'ClusterLoadAssignment -b']);
    stream.ack(CLUSTER);
    assert.equal(stream.settled, undefined);
    stream.ack(ENDPOINTS);
    assert.equal(stream.settled, 2);
  });

  it('lets policy wait for nothing, and takes it away only after the listener that needs it', () => {
    const stream = new Stream('delta');
    const set = { ...ONE, extensions: { rbac: '1' } };
    stream.set(set);
    stream.delta(CLUSTER);
    stream.delta(LISTENER);
    stream.delta(EXTENSION_CONFIG, { subscribe: ['rbac'] });
    stream.ackAll();
    assert.deepEqual(stream.set({ ...set, clusters: { a: '2', b: '1' }, listeners: { l: '2' }, extensions: { rbac: '2' } }), [
      'Cluster +a',
      'TypedExtensionConfig +rbac',
    ]);
    assert.deepEqual(stream.ackAll(), ['Listener +l']);
    assert.deepEqual(stream.set({ ...ONE, clusters: { a: '2', b: '1' }, listeners: { l: '3' } }), ['Listener +l']);
    assert.deepEqual(stream.nack(LISTENER, 'bad'), []);
    stream.set({ ...ONE, clusters: { a: '2', b: '1' }, listeners: { l: '4' } });
    assert.deepEqual(stream.ack(LISTENER), ['TypedExtensionConfig -rbac']);
  });

  it('removes listeners before routes before clusters before endpoints', () => {
    const stream = settled();
    assert.deepEqual(stream.set({}), ['Listener -l', 'RouteConfiguration -r', 'Cluster -a -b', 'ClusterLoadAssignment -a -b']);
  });

  it('releases what is held, in order, when the client does not acknowledge', () => {
    const stream = settled();
    stream.set({ ...ONE, clusters: { a: '2' }, routes: { r: '2' } });
    assert.ok(stream.state.held);
    assert.deepEqual(stream.release(), ['RouteConfiguration +r', 'Cluster -b']);
    assert.equal(stream.state.held, false);
  });

  it('sends the endpoints of a changed cluster again, as it warms', () => {
    const stream = settled();
    assert.deepEqual(stream.set({ ...ONE, clusters: { a: '2', b: '1' } }), ['Cluster +a', 'ClusterLoadAssignment +a']);
  });

  it('after a NACK reports it, keeps quiet about the same bytes, and sends again when they change', () => {
    const stream = settled();
    stream.set({ ...ONE, routes: { r: 'bad' } });
    assert.deepEqual(stream.nack(ROUTES, 'no such cluster'), []);
    const { nonce } = stream.reports.find((report) => report.kind === 'nacked') ?? { nonce: '' };
    assert.deepEqual(stream.reports, [
      { kind: 'nacked', type: ROUTES, nonce, names: ['r'], detail: 'no such cluster' },
      { kind: 'settled', snapshot: 2, accepted: false },
    ]);
    assert.deepEqual(stream.set({ ...ONE, routes: { r: 'bad' } }), []);
    assert.deepEqual([...(stream.state.types.get(ROUTES)?.rejected.keys() ?? [])], ['r']);
    assert.deepEqual(stream.set({ ...ONE, routes: { r: 'good' } }), ['RouteConfiguration +r']);
    stream.ack(ROUTES);
    assert.equal(stream.state.types.get(ROUTES)?.rejected.size, 0);
  });

  it('finds the guilty one of several by sending them again in halves', () => {
    const stream = new Stream('delta');
    stream.set({ clusters: { a: '1', b: '1', bad: '1', d: '1' } });
    assert.deepEqual(stream.delta(CLUSTER), ['Cluster +a +b +bad +d']);
    assert.deepEqual(stream.nack(CLUSTER, 'bad'), ['Cluster +a +b', 'Cluster +bad +d']);
    const [good, mixed] = stream.state.types.get(CLUSTER)?.outstanding ?? [];
    stream.delta(CLUSTER, { nonce: good?.nonce ?? '' });
    assert.deepEqual(stream.delta(CLUSTER, { nonce: mixed?.nonce ?? '', error: 'bad' }), ['Cluster +bad', 'Cluster +d']);
    const [alone, last] = stream.state.types.get(CLUSTER)?.outstanding ?? [];
    stream.delta(CLUSTER, { nonce: alone?.nonce ?? '', error: 'bad' });
    stream.delta(CLUSTER, { nonce: last?.nonce ?? '' });
    assert.deepEqual([...(stream.state.types.get(CLUSTER)?.rejected.keys() ?? [])], ['bad']);
  });

  it('keeps the clusters that a rejected route may still refer to, until the route is accepted', () => {
    const stream = settled();
    const without = { clusters: { a: '1' }, endpoints: { a: '1' }, listeners: { l: '1' } };
    assert.deepEqual(stream.set({ ...without, routes: { r: 'bad' } }), ['RouteConfiguration +r']);
    assert.deepEqual(stream.nack(ROUTES, 'bad'), []);
    assert.deepEqual(stream.release(), []);
    assert.deepEqual(stream.set({ ...without, routes: { r: 'good' } }), ['RouteConfiguration +r']);
    assert.deepEqual(stream.ack(ROUTES), ['Cluster -b', 'ClusterLoadAssignment -b']);
  });

  it('ignores an acknowledgement of what is not outstanding, but takes its subscriptions', () => {
    const stream = settled();
    stream.set({ ...ONE, routes: { r: '2', s: '1' } });
    assert.deepEqual(stream.delta(ROUTES, { nonce: 'no-such', subscribe: ['s'] }), ['RouteConfiguration +s']);
    assert.equal(stream.state.types.get(ROUTES)?.outstanding.length, 2);
  });

  it('forgets what is unsubscribed, and sends it again when it is asked for again', () => {
    const stream = settled();
    assert.deepEqual(stream.delta(ENDPOINTS, { unsubscribe: ['b'] }), []);
    assert.deepEqual(stream.set({ ...ONE, endpoints: { a: '1', b: '2' } }), []);
    assert.deepEqual(stream.delta(ENDPOINTS, { subscribe: ['b'] }), ['ClusterLoadAssignment +b']);
  });

  it('never goes back to an older snapshot', () => {
    const stream = settled();
    stream.set({ ...ONE, routes: { r: '2' } });
    assert.deepEqual(stream.event({ kind: 'set', set: new Map(), snapshot: 1 }), []);
    assert.equal(stream.state.snapshot, 2);
  });
});
