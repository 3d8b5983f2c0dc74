import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type Graph, graphOf, readableGraph } from '../../../audit/graph/graph.ts';
import { type Box, layoutOf, shownLabel } from '../../../audit/graph/layout.ts';
import { edgeText, svgOf, toneOf } from '../../../audit/graph/svg.ts';
import type { AccessRecord } from '../../../audit/model/record.ts';
import { edge } from '../edges.ts';
import { WEB } from '../world.ts';

const SEED = 20_261_121;
const party = (workload: string): AccessRecord['source'] => ({ principal: undefined, workload, address: undefined });
const call = (from: string, to: string, change: Partial<AccessRecord> = {}) =>
  edge({ source: party(from), destination: party(to), ...change });

const workload = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 30 })).map(([ns, at]) => `ns${ns}/w${at}`);
const graphs = fc
  .array(fc.tuple(workload, workload), { maxLength: 80 })
  .map((pairs): Graph => graphOf(pairs.map(([from, to]) => call(from, to))));

function inside(inner: Box, outer: Box): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

function apart(one: Box, other: Box): boolean {
  return (
    one.x + one.width <= other.x ||
    other.x + other.width <= one.x ||
    one.y + one.height <= other.y ||
    other.y + other.height <= one.y
  );
}

describe('audit: graph', () => {
  it('adds up the calls between two workloads, and says what became of them', () => {
    const { nodes, edges } = graphOf([
      call('a/x', 'b/y'),
      call('a/x', 'b/y', { method: 'PUT', verdict: { kind: 'denied-no-rule', policies: [] } }),
      call('a/x', 'b/y', { method: 'POST', mtls: false }),
      call('a/x', 'b/y', { method: 'HEAD', verdict: { kind: 'unreached', cause: 'x' }, mtls: false }),
    ]);
    assert.deepEqual(
      nodes.map(({ id }) => id),
      ['workload a/x', 'workload b/y'],
    );
    assert.deepEqual(
      edges.map(({ calls, denied, plainText, unreached }) => [calls, denied, plainText, unreached]),
      [[4, 1, 1, 1]],
    );
  });

  it('has a node for a proven identity without workload, one for all that proved nothing, and one for a service that was not reached', () => {
    const outside = { principal: undefined, workload: undefined };
    const { nodes } = graphOf([
      edge({ source: { ...outside, address: '10.0.0.1' } }),
      edge({ source: { ...outside, address: '10.0.0.2' } }),
      edge({ source: { principal: WEB, workload: undefined, address: undefined } }),
      edge({ destination: { ...outside, address: undefined }, verdict: { kind: 'unreached', cause: 'no_healthy_upstream' } }),
    ]);
    assert.deepEqual(nodes.map(({ kind }) => kind).toSorted(), ['identity', 'outside', 'service', 'workload', 'workload']);
  });

  it('shows namespaces where there are too many workloads', () => {
    const lines = Array.from({ length: 9 }, (_, at) => call(`a/x${at}`, 'b/y'));
    assert.equal(readableGraph(lines, 10).grain, 'workload');
    const coarse = readableGraph(lines, 9);
    assert.equal(coarse.grain, 'namespace');
    assert.deepEqual(
      coarse.graph.edges.map(({ from, to, calls }) => [from, to, calls]),
      [['namespace a', 'namespace b', 9]],
    );
  });

  it('places every node once, in its namespace, over no other, within the picture', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { width, height, nodes, namespaces, edges } = layoutOf(graph);
        assert.equal(nodes.length, graph.nodes.length);
        assert.equal(edges.length, graph.edges.length);
        for (const [at, one] of nodes.entries()) {
          assert.ok(inside(one, { x: 0, y: 0, width, height }), `${one.node.id} is within the picture`);
          const home = namespaces.find(({ namespace }) => namespace === one.node.namespace);
          assert.ok(home !== undefined && inside(one, home), `${one.node.id} is in its namespace`);
          for (const other of nodes.slice(at + 1)) assert.ok(apart(one, other), `${one.node.id} and ${other.node.id}`);
        }
        for (const [at, one] of namespaces.entries())
          for (const other of namespaces.slice(at + 1)) assert.ok(apart(one, other), `${one.namespace} and ${other.namespace}`);
        for (const { points } of edges) for (const { x, y } of points) assert.ok(Number.isFinite(x) && Number.isFinite(y));
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('is the same picture for the same calls in any order, whatever their numbers', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(workload, workload), { maxLength: 40 }), (pairs) => {
        const calls = pairs.map(([from, to]) => call(from, to));
        const places = (lines: typeof calls) => layoutOf(graphOf(lines)).nodes;
        assert.deepEqual(places([...calls, ...calls].toReversed()), places(calls));
      }),
      { seed: SEED, numRuns: 30 },
    );
  });

  it('does not move what is inside other namespaces when a workload comes', () => {
    const before = [call('a/x', 'a/y'), call('a/x', 'a/z'), call('b/x', 'b/y')];
    const inB = (lines: typeof before) => {
      const { nodes, namespaces } = layoutOf(graphOf(lines));
      const home = namespaces.find(({ namespace }) => namespace === 'b');
      return nodes
        .filter(({ node }) => node.namespace === 'b')
        .map(({ node, x, y }) => [node.id, x - (home?.x ?? 0), y - (home?.y ?? 0)]);
    };
    assert.deepEqual(inB([...before, call('a/new', 'a/x')]), inB(before));
  });

  it('draws hostile names as text', () => {
    const hostile = `a/<script>alert(1)</script>"'&\u202E${'x'.repeat(300)}`;
    const graph = graphOf([call(hostile, 'b/y')]);
    const svg = svgOf(layoutOf(graph), hostile);
    assert.ok(!/<script|\u202E/.test(svg));
    assert.ok(shownLabel(hostile).length < 40);
  });

  it('says in words and by form what an edge shows by colour', () => {
    const { nodes, edges } = graphOf([call('a/x', 'b/y', { verdict: { kind: 'denied-no-rule', policies: [] }, mtls: false })]);
    const [from, to] = nodes;
    const [only] = edges;
    assert.ok(from && to && only);
    assert.equal(edgeText(only, from, to), 'a/x to b/y: 1 call, 1 denied, 1 in plain text');
    assert.equal(toneOf(only), 'denied');
  });
});
