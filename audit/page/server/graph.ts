import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { add, type Tally } from '../../model/edge.ts';
import type { Counts, Graph, GraphEdge, GraphNode, Span } from '../api/graph.ts';
import { addCounts, NO_CALLS } from '../shared/counts.ts';
import { countsOf, latencyOf } from './counts.ts';
import { type EndNode, visibleTo } from './ends.ts';
import type { Observation } from './observed.ts';
import { maySee, type Viewer } from './viewer.ts';

/** More than this nobody can look at, and a browser need not hold. */
export const MOST_EDGES = 20_000;
export const MOST_NODES = 10_000;

interface Joined {
  readonly source: EndNode;
  readonly target: EndNode;
  readonly tally: Tally;
  readonly counts: Counts;
  readonly protocols: ReadonlySet<string>;
}

function written({ source, target, tally, counts, protocols }: Joined): GraphEdge {
  return {
    source: source.id,
    target: target.id,
    ...counts,
    protocols: [...protocols].sort(),
    latencyMs: latencyOf(tally),
    lastSeen: new Date(tally.lastSeen).toISOString(),
  };
}

/** What must not be left out when there is too much: denials first, then volume. */
function byWeight(a: Joined, b: Joined): number {
  return b.counts.denied - a.counts.denied || b.counts.wouldBeDenied - a.counts.wouldBeDenied || b.counts.calls - a.counts.calls;
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** The graph that one viewer may see: calls that touch their namespaces, and the workloads of those. */
export function graphOf({ lines, missing }: Observation, snapshot: Snapshot, viewer: Viewer, period: Span): Graph {
  const joined = new Map<string, Joined>();
  for (const { key, tally, ends } of lines) {
    if (!visibleTo(viewer, ends)) continue;
    const { source, target } = ends;
    const id = `${source.id} ${target.id}`;
    const known = joined.get(id);
    const counts = countsOf(key, tally);
    joined.set(id, {
      source,
      target,
      tally: known ? add(known.tally, tally) : tally,
      counts: known ? addCounts(known.counts, counts) : counts,
      protocols: new Set([...(known?.protocols ?? []), key.protocol]),
    });
  }
  const all = [...joined.values()];
  const sent = all.length <= MOST_EDGES ? all : all.toSorted(byWeight).slice(0, MOST_EDGES);
  const nodes = new Map<string, GraphNode>();
  const present = new Set(snapshot.workloads.map(({ namespace, name }) => `workload:${namespace}/${name}`));
  for (const { source, target } of sent)
    for (const end of [source, target])
      if (!nodes.has(end.id)) nodes.set(end.id, { ...end, present: end.kind !== 'workload' || present.has(end.id) });
  let omittedNodes = 0;
  for (const { namespace, name } of snapshot.workloads) {
    const id = `workload:${namespace}/${name}`;
    if (nodes.has(id) || !maySee(viewer, namespace)) continue;
    if (nodes.size >= MOST_NODES) omittedNodes++;
    else nodes.set(id, { id, kind: 'workload', namespace, name, present: true });
  }
  return {
    period,
    snapshot: snapshot.number,
    nodes: [...nodes.values()].sort(byId),
    edges: sent.map(written).sort((a, b) => byId({ id: `${a.source} ${a.target}` }, { id: `${b.source} ${b.target}` })),
    totals: all.reduce((sum, { counts }) => addCounts(sum, counts), NO_CALLS),
    missing,
    omittedEdges: all.length - sent.length,
    omittedNodes,
  };
}
