import { Graph as Plane, layout as arrange } from '@dagrejs/dagre';
import type { Graph, GraphEdge, GraphNode } from './graph.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle by its upper left corner. */
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

export interface PlacedNode extends Box {
  readonly node: GraphNode;
}

/** From the border of one node to that of the other; more than two points where it goes around others. */
export interface PlacedEdge {
  readonly edge: GraphEdge;
  readonly points: readonly Point[];
}

export interface PlacedNamespace extends Box {
  readonly namespace: string;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Those that have a name; the others' nodes stand free. */
  readonly namespaces: readonly PlacedNamespace[];
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
}

const NODE_HEIGHT = 30;
const [LETTER, SIDES, NARROWEST, WIDEST] = [7.2, 24, 72, 240] as const;
const [MARGIN, TITLE] = [16, 24] as const;
const [BETWEEN_RANKS, BETWEEN_NODES] = [64, 16] as const;
/** Beyond this many nodes without calls among themselves a column is too long to look at. */
const COLUMN = 8;
/** Layers cost more than in proportion, and of many nobody can follow the lines. */
const MOST_LAYERED = 60;
const [MOST_STRETCHED, ROOM, WIDER_THAN_HIGH] = [4, 400, 1.5] as const;

/** In characters as people count them. */
const LETTERS = new Intl.Segmenter('en');

function lettersOf(label: string): readonly string[] {
  return Array.from(LETTERS.segment(label), ({ segment }) => segment);
}

/** Wide enough for the label, which is cut where it is longer than the widest node. */
function nodeWidth(label: string): number {
  return Math.min(WIDEST, Math.max(NARROWEST, Math.ceil(lettersOf(label).length * LETTER + SIDES)));
}

/** What fits into the widest node. */
export function shownLabel(label: string): string {
  const most = Math.floor((WIDEST - SIDES) / LETTER);
  const letters = lettersOf(label);
  return letters.length <= most ? label : `${letters.slice(0, most - 1).join('')}…`;
}

interface Item {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

interface Link {
  readonly from: string;
  readonly to: string;
  readonly weight: number;
}

interface Plan {
  readonly width: number;
  readonly height: number;
  /** Upper left corners. */
  readonly places: ReadonlyMap<string, Point>;
  /** Between the borders of the items, by `FROM\nTO`. */
  readonly ways: ReadonlyMap<string, readonly Point[]>;
}

function between({ from, to }: Link): string {
  return `${from}\n${to}`;
}

/** In layers, callers left of those they call. */
function layered(items: readonly Item[], links: readonly Link[]): Plan {
  const plane = new Plane({ directed: true });
  plane.setGraph({ rankdir: 'LR', ranksep: BETWEEN_RANKS, nodesep: BETWEEN_NODES, edgesep: 8 });
  plane.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of items) plane.setNode(id, { width, height });
  for (const { from, to, weight } of links) if (from !== to) plane.setEdge(from, to, { weight });
  arrange(plane);
  const places = new Map(
    items.map(({ id, width, height }) => {
      const { x = 0, y = 0 } = plane.node(id);
      return [id, { x: x - width / 2, y: y - height / 2 }];
    }),
  );
  const ways = new Map(
    links.flatMap((link): readonly (readonly [string, readonly Point[]])[] => {
      if (link.from === link.to) return [];
      const { points = [] } = plane.edge(link.from, link.to);
      return [[between(link), points.map(({ x, y }) => ({ x, y }))]];
    }),
  );
  const right = items.map(({ id, width }) => (places.get(id)?.x ?? 0) + width);
  const bottom = items.map(({ id, height }) => (places.get(id)?.y ?? 0) + height);
  return { width: Math.max(0, ...right), height: Math.max(0, ...bottom), places, ways };
}

/** One behind the other in rows, as wide together as they are high, half as much again: for what has no order, or too much of it. */
function shelved(items: readonly Item[]): Plan {
  const gap = BETWEEN_NODES;
  const area = items.reduce((sum, { width, height }) => sum + (width + gap) * (height + gap), 0);
  const full = Math.max(Math.sqrt(area * WIDER_THAN_HIGH), ...items.map(({ width }) => width));
  const places = new Map<string, Point>();
  let [x, y, row, width] = [0, 0, 0, 0];
  for (const item of items) {
    if (x > 0 && x + item.width > full) [x, y, row] = [0, y + row + gap, 0];
    places.set(item.id, { x, y });
    row = Math.max(row, item.height);
    width = Math.max(width, x + item.width);
    x += item.width + gap;
  }
  return { width, height: y + row, places, ways: new Map() };
}

function readable({ width, height }: Plan): boolean {
  return width <= MOST_STRETCHED * Math.max(height, ROOM) && height <= MOST_STRETCHED * Math.max(width, ROOM);
}

/** Linked items in layers, as long as that can be read, and those that stand alone in rows below them when they are many. */
function planned(items: readonly Item[], links: readonly Link[]): Plan {
  const real = links.filter(({ from, to }) => from !== to);
  const linked = new Set(real.flatMap(({ from, to }) => [from, to]));
  const alone = items.filter(({ id }) => !linked.has(id));
  const few = alone.length <= COLUMN;
  const together = few ? items : items.filter(({ id }) => linked.has(id));
  if (together.length > MOST_LAYERED || real.length > 4 * MOST_LAYERED) return shelved(callersFirst(items, real));
  const top = layered(together, real);
  if (!readable(top)) return shelved(callersFirst(items, real));
  if (few) return top;
  const below = shelved(alone);
  const down = top.height === 0 ? 0 : top.height + 2 * BETWEEN_NODES;
  const moved = [...below.places].map(([id, { x, y }]) => [id, { x, y: y + down }] as const);
  return {
    width: Math.max(top.width, below.width),
    height: down + below.height,
    places: new Map([...top.places, ...moved]),
    ways: top.ways,
  };
}

/** Those first that are called by few and call many; otherwise in the order that they have. */
function callersFirst(items: readonly Item[], links: readonly Link[]): readonly Item[] {
  const lead = new Map<string, number>();
  for (const { from, to } of links) {
    lead.set(from, (lead.get(from) ?? 0) + 1);
    lead.set(to, (lead.get(to) ?? 0) - 1);
  }
  return items.toSorted((one, other) => (lead.get(other.id) ?? 0) - (lead.get(one.id) ?? 0));
}

/** Out of the right side of one box into the left side of the other; back from left to right where the other is not right of it. */
function direct(from: Box, to: Box): readonly Point[] {
  const forward = from.x + from.width <= to.x;
  const backward = to.x + to.width <= from.x;
  const middle = ({ y, height }: Box): number => y + height / 2;
  if (forward || backward)
    return [
      { x: forward ? from.x + from.width : from.x, y: middle(from) },
      { x: forward ? to.x : to.x + to.width, y: middle(to) },
    ];
  const down = from.y < to.y;
  return [
    { x: from.x + from.width / 2, y: down ? from.y + from.height : from.y },
    { x: to.x + to.width / 2, y: down ? to.y : to.y + to.height },
  ];
}

/** A loop above a node that calls itself. */
function loop({ x, y, width }: Box): readonly Point[] {
  const [left, right] = [x + width / 2 - 12, x + width / 2 + 12];
  return [
    { x: left, y },
    { x: left, y: y - 12 },
    { x: right, y: y - 12 },
    { x: right, y },
  ];
}

/**
 * Places a graph: each namespace for itself, then the namespaces as wholes, so that what happens in one leaves the inside of the others as
 * it is. The same graph gives the same picture, whatever the numbers on its edges are. Pure.
 */
export function layoutOf({ nodes, edges }: Graph): Layout {
  const groupOf = ({ namespace, id }: GraphNode): string => (namespace === '' ? `node ${id}` : `namespace ${namespace}`);
  const groups = new Map<string, GraphNode[]>();
  const home = new Map<string, string>();
  for (const node of nodes) {
    const group = groupOf(node);
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [node]);
    else members.push(node);
    home.set(node.id, group);
  }
  const inner = new Map<string, Link[]>();
  const outer = new Map<string, Link>();
  for (const { from, to } of edges) {
    const [source, target] = [home.get(from), home.get(to)];
    if (source === undefined || target === undefined) continue;
    if (source === target) {
      const links = inner.get(source);
      const link = { from, to, weight: 1 };
      if (links === undefined) inner.set(source, [link]);
      else links.push(link);
    } else {
      const link = { from: source, to: target, weight: 1 };
      const known = outer.get(between(link));
      outer.set(between(link), { ...link, weight: (known?.weight ?? 0) + 1 });
    }
  }
  const plans = new Map(
    [...groups].map(([group, members]) => {
      const items = members.map(({ id, label }) => ({ id, width: nodeWidth(label), height: NODE_HEIGHT }));
      return [group, planned(items, inner.get(group) ?? [])] as const;
    }),
  );
  const framed = (group: string): boolean => group.startsWith('namespace ');
  const sizes = [...plans].map(([id, { width, height }]) =>
    framed(id)
      ? { id, width: Math.max(width, nodeWidth(id.slice('namespace '.length))) + 2 * MARGIN, height: height + TITLE + 2 * MARGIN }
      : { id, width, height },
  );
  const whole = planned(sizes, [...outer.values()]);

  const namespaces: PlacedNamespace[] = [];
  const placed = new Map<string, PlacedNode>();
  const ways = new Map<string, readonly Point[]>();
  for (const { id: group, width, height } of sizes) {
    const corner = whole.places.get(group) ?? { x: 0, y: 0 };
    const [x, y] = [corner.x + MARGIN, corner.y + MARGIN];
    const [left, top] = framed(group) ? [x + MARGIN, y + MARGIN + TITLE] : [x, y];
    if (framed(group)) namespaces.push({ namespace: group.slice('namespace '.length), x, y, width, height });
    const plan = plans.get(group);
    for (const node of groups.get(group) ?? []) {
      const at = plan?.places.get(node.id) ?? { x: 0, y: 0 };
      placed.set(node.id, {
        node,
        x: left + at.x,
        y: top + at.y,
        width: nodeWidth(node.label),
        height: NODE_HEIGHT,
      });
    }
    for (const [key, points] of plan?.ways ?? [])
      ways.set(
        key,
        points.map((point) => ({ x: left + point.x, y: top + point.y })),
      );
  }
  return {
    width: whole.width + 2 * MARGIN,
    height: whole.height + 2 * MARGIN,
    namespaces,
    nodes: nodes.flatMap(({ id }) => placed.get(id) ?? []),
    edges: edges.flatMap((edge): readonly PlacedEdge[] => {
      const [from, to] = [placed.get(edge.from), placed.get(edge.to)];
      if (from === undefined || to === undefined) return [];
      const way = ways.get(between({ ...edge, weight: 1 }));
      return [{ edge, points: edge.from === edge.to ? loop(from) : (way ?? direct(from, to)) }];
    }),
  };
}
