import assert from 'node:assert/strict';
import { CLUSTER, LISTENER, ROUTES, VIRTUAL_HOST } from '../../../xds/resource-set.ts';
import { Stream } from './client.ts';

const ONE = { clusters: { a: '1' }, listeners: { l: '1' }, routes: { r: '1' }, hosts: { 'r/x': '1', 'r/y': '1' } };

/** As Envoy asks: for virtual hosts once, without names, when the first routes say that they come so. */
function settled(): Stream {
  const stream = new Stream('delta');
  stream.set(ONE);
  stream.delta(CLUSTER);
  stream.ack(CLUSTER);
  stream.delta(LISTENER);
  stream.ack(LISTENER);
  stream.delta(ROUTES, { subscribe: ['r'] });
  stream.ack(ROUTES);
  assert.deepEqual(stream.delta(VIRTUAL_HOST), ['VirtualHost +r/x +r/y']);
  stream.ack(VIRTUAL_HOST);
  return stream;
}

/** Answers the oldest response that has no answer yet, as Envoy does. */
function answer(stream: Stream, error?: string): string[] {
  const nonce = stream.state.types.get(VIRTUAL_HOST)?.outstanding[0]?.nonce ?? assert.fail('nothing to answer');
  return stream.delta(VIRTUAL_HOST, error === undefined ? { nonce } : { nonce, error });
}

const rejected = (stream: Stream): readonly string[] => [...(stream.state.types.get(VIRTUAL_HOST)?.rejected.keys() ?? [])];

describe('virtual hosts as resources', () => {
  it('are sent alone when they change', () => {
    const stream = settled();
    assert.deepEqual(stream.set({ ...ONE, hosts: { ...ONE.hosts, 'r/x': '2' } }), ['VirtualHost +r/x']);
  });

  it('go in the response that brings what comes in their place, which may have their domains', () => {
    const stream = settled();
    assert.deepEqual(stream.set({ ...ONE, hosts: { 'r/x': '1', 'r/z': '1' } }), ['VirtualHost +r/z -r/y']);
  });

  it('wait, coming and going, until new clusters are acknowledged', () => {
    const stream = settled();
    const next = { ...ONE, clusters: { a: '1', b: '1' }, hosts: { 'r/x': '2' } };
    assert.deepEqual(stream.set(next), ['Cluster +b']);
    assert.deepEqual(stream.ack(CLUSTER), ['VirtualHost +r/x -r/y']);
  });

  it('come again with routes that are asked for later, or again: Envoy has dropped those of routes that it did not know', () => {
    const stream = settled();
    const next = { ...ONE, routes: { r: '1', s: '1' }, hosts: { ...ONE.hosts, 's/x': '1' } };
    assert.deepEqual(stream.set(next), ['VirtualHost +s/x']);
    stream.ack(VIRTUAL_HOST);
    assert.deepEqual(stream.delta(ROUTES, { subscribe: ['s'] }), ['RouteConfiguration +s', 'VirtualHost +s/x']);
  });

  it('refused with what was to go: that goes with the one that stands alone, or waits for the next change', () => {
    const stream = settled();
    assert.deepEqual(stream.set({ ...ONE, hosts: { 'r/x': '1', 'r/bad': '1', 'r/new': '1' } }), [
      'VirtualHost +r/bad +r/new -r/y',
    ]);
    // Which of them is bad nobody knows; r/new has a domain that r/y still has.
    assert.deepEqual(answer(stream, 'refused'), ['VirtualHost +r/bad', 'VirtualHost +r/new']);
    assert.deepEqual(answer(stream, 'refused'), ['VirtualHost +r/bad -r/y']);
    assert.deepEqual(answer(stream, 'refused'), ['VirtualHost +r/new -r/y']);
    assert.deepEqual(answer(stream, 'refused'), []);
    assert.deepEqual(answer(stream), []);
    assert.deepEqual(rejected(stream), ['r/bad']);
    // The same bytes are not sent again for a change of others.
    assert.deepEqual(stream.set({ ...ONE, hosts: { 'r/x': '2', 'r/bad': '1', 'r/new': '1' } }), ['VirtualHost +r/x']);
  });

  it('that stand in the way of each other go together once one of them changes', () => {
    const stream = settled();
    assert.deepEqual(stream.set({ ...ONE, hosts: { 'r/x': '2', 'r/y': '2', 'r/bad': '1' } }), ['VirtualHost +r/x +r/y +r/bad']);
    for (let answers = 0; rejected(stream).length < 3; answers += 1) {
      assert.ok(answers < 10);
      answer(stream, 'refused');
    }
    assert.deepEqual(stream.set({ ...ONE, hosts: { 'r/x': '2', 'r/y': '2', 'r/bad': '2' } }), ['VirtualHost +r/bad +r/x +r/y']);
    answer(stream);
    assert.deepEqual(rejected(stream), []);
  });
});
