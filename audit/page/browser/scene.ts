import type { Access } from '../api/details.ts';
import type { Counts, Graph, GraphEdge, GraphNode } from '../api/graph.ts';
import type { Stage } from '../../../mesh/model/namespace-rollout.ts';
import { addCounts, NO_CALLS } from '../shared/counts.ts';
import { lineLook, type Look, looksOf } from './appearance.ts';
import { type Box, boxOfCells, nodeBox, type Placement } from './placement.ts';
import type { State } from './state.ts';

/** What is drawn at one zoom: namespaces first, workloads where there is room to read them. */
export interface Scene {
  readonly areas: readonly SceneArea[];
  readonly nodes: readonly SceneNode[];
  readonly edges: readonly SceneEdge[];
  /** Edges that are not drawn, since there are too many. */
  readonly left: number;
}

export interface SceneArea {
  readonly namespace: string;
  readonly box: Box;
  /** Its workloads are drawn. */
  readonly open: boolean;
  readonly collapsed: boolean;
  readonly workloads: number;
  /** How far it is rolled out; undefined: it has no rollout. */
  readonly stage: Stage | undefined;
}

export interface SceneNode {
  readonly node: GraphNode;
  readonly box: Box;
  readonly received: number;
  readonly sent: number;
  readonly denied: number;
  /** The policy overlay: no ALLOW policy says who may call it. */
  readonly open: boolean;
}

export interface SceneEdge {
  readonly id: string;
  /** What they end at: ids of nodes, or `namespace:NAME`. */
  readonly source: string;
  readonly target: string;
  readonly counts: Counts;
  readonly look: Look;
  readonly members: readonly GraphEdge[];
  readonly from: Point;
  readonly to: Point;
}

export interface Point {
  readonly x: number;
  readonly y: number;
  /** In which direction the line leaves: right, left. */
  readonly side: 1 | -1;
}

export interface SceneInput {
  readonly graph: Graph;
  readonly placement: Placement;
  readonly state: Pick<State, 'looks' | 'namespaces' | 'quiet' | 'collapsed' | 'overlay'>;
  readonly access: Access | undefined;
  readonly stages: ReadonlyMap<string, Stage>;
  /** Screen pixels for a unit. */
  readonly scale: number;
}

const READABLE_SCALE = 0.42;
/** So few are drawn at any zoom. */
const FEW_NODES = 60;
const MOST_EDGES = 1_500;
/** Between namespaces that are far away. */
const MOST_BETWEEN = 600;

/** Texts of workloads can be read at this scale. */
export function isDetailed(scale: number): boolean {
  return scale >= READABLE_SCALE;
}

export function shownEdges(graph: Graph, { looks, namespaces }: SceneInput['state']): readonly GraphEdge[] {
  const namespaceOf = new Map(graph.nodes.map(({ id, namespace }) => [id, namespace]));
  return graph.edges.filter(
    (edge) =>
      looksOf(edge).some((look) => looks.has(look)) &&
      (namespaces.size === 0 ||
        namespaces.has(namespaceOf.get(edge.source) ?? '') ||
        namespaces.has(namespaceOf.get(edge.target) ?? '')),
  );
}

interface Drawn {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  counts: Counts;
  look: Look | undefined;
  readonly members: GraphEdge[];
}

/** Which side of a box a line leaves on, and where on it: lines are spread in the order of what they lead to. */
function ends(drawn: readonly Drawn[], boxes: ReadonlyMap<string, Box>): readonly SceneEdge[] {
  const centre = (id: string): { readonly x: number; readonly y: number } => {
    const box = boxes.get(id) ?? { x: 0, y: 0, width: 0, height: 0 };
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  };
  const ports = new Map<string, { readonly edge: string; readonly other: number }[]>();
  const sides = new Map<string, { readonly from: 1 | -1; readonly to: 1 | -1 }>();
  const port = (box: string, side: 1 | -1, edge: string, other: number): void => {
    const key = `${side} ${box}`;
    const known = ports.get(key);
    if (known === undefined) ports.set(key, [{ edge, other }]);
    else known.push({ edge, other });
  };
  for (const { id, source, target } of drawn) {
    const [a, b] = [boxes.get(source), boxes.get(target)];
    if (a === undefined || b === undefined) continue;
    const right = b.x >= a.x + a.width;
    const left = b.x + b.width <= a.x;
    const side = right ? ({ from: 1, to: -1 } as const) : left ? ({ from: -1, to: 1 } as const) : ({ from: 1, to: 1 } as const);
    sides.set(id, side);
    port(source, side.from, `${id} from`, centre(target).y);
    port(target, side.to, `${id} to`, centre(source).y);
  }
  const offsets = new Map<string, number>();
  for (const [key, list] of ports) {
    const box = boxes.get(key.slice(key.indexOf(' ') + 1));
    const gap = Math.min(9, ((box?.height ?? 0) - 12) / Math.max(1, list.length));
    list
      .toSorted((a, b) => a.other - b.other || (a.edge < b.edge ? -1 : 1))
      .forEach(({ edge }, at) => offsets.set(edge, (at - (list.length - 1) / 2) * gap));
  }
  return drawn.flatMap(({ id, source, target, counts, look, members }): readonly SceneEdge[] => {
    const [a, b, side] = [boxes.get(source), boxes.get(target), sides.get(id)];
    if (a === undefined || b === undefined || side === undefined) return [];
    const point = (box: Box, way: 1 | -1, offset: number): Point => ({
      x: way === 1 ? box.x + box.width : box.x,
      y: box.y + box.height / 2 + offset,
      side: way,
    });
    const from = point(a, side.from, offsets.get(`${id} from`) ?? 0);
    const to = point(b, side.to, offsets.get(`${id} to`) ?? 0);
    return [{ id, source, target, counts, look: look ?? lineLook(counts), members, from, to }];
  });
}

export function sceneOf({ graph, placement, state, access, stages, scale }: SceneInput): Scene {
  const { namespaces, collapsed, quiet, overlay } = state;
  const edges = shownEdges(graph, state);
  const overlayEdges = overlay && access !== undefined ? [...access.unused, ...access.notGranted] : [];
  const touched = new Set([...edges, ...overlayEdges].flatMap(({ source, target }) => [source, target]));
  const nodes = graph.nodes.filter(
    ({ id, namespace }) => touched.has(id) || (quiet && (namespaces.size === 0 || namespaces.has(namespace))),
  );
  const detailed = isDetailed(scale) || nodes.length <= FEW_NODES;
  const byNamespace = Map.groupBy(nodes, ({ namespace }) => namespace);
  const stands = new Map<string, string>();
  const boxes = new Map<string, Box>();
  const areas: SceneArea[] = [];
  const shown: GraphNode[] = [];
  for (const [namespace, members] of byNamespace) {
    const area = placement.get(namespace);
    if (area === undefined) continue;
    const box = boxOfCells(
      area.x,
      area.y,
      members.flatMap(({ id }) => area.cells.get(id) ?? []),
    );
    const open = detailed && !collapsed.has(namespace);
    areas.push({
      namespace,
      box,
      open,
      collapsed: collapsed.has(namespace),
      workloads: members.length,
      stage: stages.get(namespace),
    });
    if (!open) boxes.set(`namespace:${namespace}`, box);
    for (const node of members) {
      stands.set(node.id, open ? node.id : `namespace:${namespace}`);
      const cell = area.cells.get(node.id);
      if (!open || cell === undefined) continue;
      shown.push(node);
      boxes.set(node.id, nodeBox(area, cell));
    }
  }
  const drawn = new Map<string, Drawn>();
  const draw = (source: string, target: string, counts: Counts, member: GraphEdge | undefined, look: Look | undefined): void => {
    const [from, to] = [stands.get(source), stands.get(target)];
    if (from === undefined || to === undefined || (from === to && from.startsWith('namespace:'))) return;
    const id = `${look ?? ''}>${from}>${to}`;
    const known = drawn.get(id) ?? { id, source: from, target: to, counts: NO_CALLS, look, members: [] };
    known.counts = addCounts(known.counts, counts);
    if (member !== undefined) known.members.push(member);
    drawn.set(id, known);
  };
  for (const edge of edges) draw(edge.source, edge.target, edge, edge, undefined);
  if (overlay && access !== undefined) {
    for (const { source, target } of access.unused) draw(source, target, NO_CALLS, undefined, 'granted');
    for (const { source, target, calls } of access.notGranted)
      draw(source, target, { ...NO_CALLS, calls }, undefined, 'ungranted');
  }
  const all = [...drawn.values()];
  const weight = ({ counts }: Drawn): number => counts.denied * 1e6 + counts.wouldBeDenied * 1e3 + counts.calls;
  const most = detailed ? MOST_EDGES : MOST_BETWEEN;
  const kept = all.length <= most ? all : all.toSorted((a, b) => weight(b) - weight(a)).slice(0, most);
  return {
    areas,
    nodes: nodesOf(shown, boxes, edges, access, overlay),
    edges: ends(kept, boxes),
    left: all.length - kept.length,
  };
}

function nodesOf(
  shown: readonly GraphNode[],
  boxes: ReadonlyMap<string, Box>,
  edges: readonly GraphEdge[],
  access: Access | undefined,
  overlay: boolean,
): readonly SceneNode[] {
  const totals = new Map<string, { received: number; sent: number; denied: number }>();
  const of = (id: string): { received: number; sent: number; denied: number } => {
    const known = totals.get(id) ?? { received: 0, sent: 0, denied: 0 };
    totals.set(id, known);
    return known;
  };
  for (const { source, target, calls, denied } of edges) {
    of(source).sent += calls;
    of(target).received += calls;
    of(target).denied += denied;
  }
  const open = new Set(overlay ? access?.open : []);
  return shown.flatMap((node) => {
    const box = boxes.get(node.id);
    return box === undefined ? [] : [{ node, box, ...of(node.id), open: open.has(node.id) }];
  });
}
