import { parseSpiffeId, withoutScheme, workloadOf } from '../../ca/identity/spiffe-id.ts';
import type { EdgeKey, Tally } from '../model/edge.ts';
import { wouldBeDenied } from '../report/reason.ts';

/**
 * `workload`: configuration knows it. `identity`: proven by a certificate, of no known workload. `outside`: callers that proved nothing.
 * `service`: what calls were meant for that never arrived. `namespace`: all of a namespace in one.
 */
export type NodeKind = 'workload' | 'identity' | 'outside' | 'service' | 'namespace';

export interface GraphNode {
  readonly id: string;
  readonly label: string;
  /** Empty for what is in none. */
  readonly namespace: string;
  readonly kind: NodeKind;
}

/** All calls between two nodes, by what became of them. Each call is in `calls`, and may be in several of the others. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly calls: number;
  readonly denied: number;
  readonly wouldBeDenied: number;
  readonly plainText: number;
  readonly unreached: number;
}

/** Nodes and edges in the order of their names, so that the same calls make the same picture. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** `workload` shows each workload, `namespace` each namespace. */
export type Grain = 'workload' | 'namespace';

function order<T>(values: Iterable<T>, name: (value: T) => string): readonly T[] {
  return [...values].sort((one, other) => (name(one) < name(other) ? -1 : name(one) > name(other) ? 1 : 0));
}

function workloadNode(workload: string): GraphNode {
  const slash = workload.indexOf('/');
  return { id: `workload ${workload}`, label: workload.slice(slash + 1), namespace: workload.slice(0, slash), kind: 'workload' };
}

function identityNode(principal: string): GraphNode {
  const parsed = parseSpiffeId(principal);
  const place = parsed.ok ? workloadOf(parsed.value) : undefined;
  const label = place === undefined ? withoutScheme(principal) : `${place.serviceAccount} (account)`;
  return { id: `identity ${principal}`, label, namespace: place?.namespace ?? '', kind: 'identity' };
}

const OUTSIDE: GraphNode = Object.freeze({ id: 'outside', label: 'unauthenticated', namespace: '', kind: 'outside' });

/** Who called; callers that proved nothing and are no known workload are one node, since their addresses are many and mean little. */
function sourceNode(key: EdgeKey): GraphNode {
  if (key.sourceWorkload !== '') return workloadNode(key.sourceWorkload);
  return key.sourcePrincipal === '' ? OUTSIDE : identityNode(key.sourcePrincipal);
}

function destinationNode(key: EdgeKey): GraphNode {
  if (key.destinationWorkload !== '') return workloadNode(key.destinationWorkload);
  if (key.destinationPrincipal !== '') return identityNode(key.destinationPrincipal);
  const [name = '', namespace = '', kind] = key.service.split('.');
  const inMesh = kind === 'svc';
  return {
    id: `service ${key.service}`,
    label: key.service === '' ? 'unknown' : inMesh ? `${name} (service)` : key.service,
    namespace: inMesh ? namespace : '',
    kind: 'service',
  };
}

function inGrain(node: GraphNode, grain: Grain): GraphNode {
  if (grain === 'workload' || node.namespace === '') return node;
  return { id: `namespace ${node.namespace}`, label: node.namespace, namespace: '', kind: 'namespace' };
}

/** Who talks to whom: the lines of a report added up between pairs of nodes. */
export function graphOf(lines: Iterable<{ readonly key: EdgeKey; readonly tally: Tally }>, grain: Grain = 'workload'): Graph {
  const nodes = new Map<string, GraphNode>();
  const edges = new Map<string, GraphEdge>();
  for (const { key, tally } of lines) {
    const [from, to] = [inGrain(sourceNode(key), grain), inGrain(destinationNode(key), grain)];
    nodes.set(from.id, from).set(to.id, to);
    const at = `${from.id}\n${to.id}`;
    const known = edges.get(at) ?? {
      from: from.id,
      to: to.id,
      calls: 0,
      denied: 0,
      wouldBeDenied: 0,
      plainText: 0,
      unreached: 0,
    };
    const { count } = tally;
    const unreached = key.verdict === 'unreached';
    edges.set(at, {
      ...known,
      calls: known.calls + count,
      denied: known.denied + (key.decision === 'DENY' ? count : 0),
      wouldBeDenied: known.wouldBeDenied + (wouldBeDenied(key) ? count : 0),
      plainText: known.plainText + (!key.mtls && !unreached ? count : 0),
      unreached: known.unreached + (unreached ? count : 0),
    });
  }
  return {
    nodes: order(nodes.values(), ({ namespace, id }) => `${namespace}\n${id}`),
    edges: order(edges.values(), ({ from, to }) => `${from}\n${to}`),
  };
}

/** As fine as can be read in one picture of `most` nodes. */
export function readableGraph(
  lines: readonly { readonly key: EdgeKey; readonly tally: Tally }[],
  most: number,
): { readonly graph: Graph; readonly grain: Grain } {
  const fine = graphOf(lines);
  return fine.nodes.length <= most
    ? { graph: fine, grain: 'workload' }
    : { graph: graphOf(lines, 'namespace'), grain: 'namespace' };
}
