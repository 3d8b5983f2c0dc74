import { htmlText } from '../report/html-text.ts';
import type { GraphEdge, GraphNode } from './graph.ts';
import { type Layout, type PlacedEdge, type PlacedNode, type Point, shownLabel } from './layout.ts';

/** How an edge is drawn, the gravest first: something was denied, in plain text, would be denied, never arrived, or all is well. */
export type EdgeTone = 'denied' | 'plain' | 'would-be-denied' | 'unreached' | 'mtls';

export function toneOf({ denied, plainText, wouldBeDenied, unreached, calls }: GraphEdge): EdgeTone {
  if (denied > 0) return 'denied';
  if (plainText > 0) return 'plain';
  if (wouldBeDenied > 0) return 'would-be-denied';
  return unreached === calls ? 'unreached' : 'mtls';
}

/** What the tones mean, for a legend. */
export const TONES: Readonly<Record<EdgeTone, string>> = Object.freeze({
  mtls: 'mutual TLS, allowed',
  'would-be-denied': 'would be denied by a dry run',
  plain: 'plain text',
  denied: 'denied, all or some',
  unreached: 'never arrived',
});

/**
 * The rules that the classes of a graph are drawn by. Tones differ in dashes as well as in colour, for eyes and printers that tell no
 * colours apart; colours are custom properties of the page.
 */
export const GRAPH_STYLE = `
.graph { max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }
.graph text { fill: currentColor; }
.graph .namespace rect { fill: var(--soft); stroke: var(--line); }
.graph .namespace text { font-weight: 600; }
.graph .node rect { fill: var(--paper); stroke: currentColor; }
.graph .node.identity rect, .graph .node.service rect { stroke-dasharray: 4 2; }
.graph .node.outside rect { stroke: var(--plain); stroke-width: 2; }
.graph .edge path { fill: none; stroke: var(--mtls); }
.graph .edge.plain path { stroke: var(--plain); stroke-dasharray: 7 3; }
.graph .edge.denied path { stroke: var(--denied); stroke-dasharray: 2 3; }
.graph .edge.would-be-denied path { stroke: var(--would); stroke-dasharray: 8 3 2 3; }
.graph .edge.unreached path { stroke: var(--line); stroke-dasharray: 1 4; }
.graph .arrow { fill: context-stroke; }
`;

const number = (value: number): string => String(Math.round(value * 10) / 10);
const point = ({ x, y }: Point): string => `${number(x)},${number(y)}`;

/** Through two points a curve that leaves and arrives level; through more the points themselves, rounded by quadratic curves. */
function path(points: readonly Point[]): string {
  const [first, ...rest] = points;
  const last = rest.at(-1);
  if (first === undefined || last === undefined) return '';
  if (rest.length === 1) {
    const bend = (last.x - first.x) / 2;
    if (Math.abs(bend) < 1) return `M${point(first)} L${point(last)}`;
    return `M${point(first)} C${point({ x: first.x + bend, y: first.y })} ${point({ x: last.x - bend, y: last.y })} ${point(last)}`;
  }
  const middles = rest.slice(0, -1).map((at, index) => {
    const next = rest[index + 1] ?? last;
    const end = index === rest.length - 2 ? last : { x: (at.x + next.x) / 2, y: (at.y + next.y) / 2 };
    return `Q${point(at)} ${point(end)}`;
  });
  return `M${point(first)} ${middles.join(' ')}`;
}

/** Thicker for more calls, by their order of magnitude. */
function width({ calls }: GraphEdge): string {
  return number(Math.min(5, 1 + Math.log10(Math.max(1, calls)) / 2));
}

function counted(count: number, what: string): readonly string[] {
  return count === 0 ? [] : [`${count} ${what}`];
}

function nodeText({ label, namespace, kind }: GraphNode): string {
  return kind === 'workload' ? `${namespace}/${label}` : namespace === '' ? label : `${label} in ${namespace}`;
}

/** An edge in words, for titles and for those who do not see it. */
export function edgeText(
  { calls, denied, plainText, wouldBeDenied, unreached }: GraphEdge,
  from: GraphNode,
  to: GraphNode,
): string {
  const parts = [
    `${calls} call${calls === 1 ? '' : 's'}`,
    ...counted(denied, 'denied'),
    ...counted(plainText, 'in plain text'),
    ...counted(wouldBeDenied, 'would be denied'),
    ...counted(unreached, 'never arrived'),
  ];
  return `${nodeText(from)} to ${nodeText(to)}: ${parts.join(', ')}`;
}

function drawnNode({ node, x, y, width: wide, height }: PlacedNode): string {
  const [middle, base] = [number(x + wide / 2), number(y + height / 2 + 4)];
  return (
    `<g class="node ${node.kind}"><title>${htmlText(nodeText(node))}</title>` +
    `<rect x="${number(x)}" y="${number(y)}" width="${number(wide)}" height="${number(height)}" rx="5"/>` +
    `<text x="${middle}" y="${base}" text-anchor="middle">${htmlText(shownLabel(node.label))}</text></g>`
  );
}

function drawnEdge({ edge, points }: PlacedEdge, nodes: ReadonlyMap<string, GraphNode>): string {
  const [from, to] = [nodes.get(edge.from), nodes.get(edge.to)];
  if (from === undefined || to === undefined) return '';
  return (
    `<g class="edge ${toneOf(edge)}"><title>${htmlText(edgeText(edge, from, to))}</title>` +
    `<path d="${path(points)}" stroke-width="${width(edge)}" marker-end="url(#arrow)"/></g>`
  );
}

/** A picture to stand in an HTML page, without scripts or styles: {@link GRAPH_STYLE} is for the page that it stands in. */
export function svgOf(layout: Layout, title: string): string {
  const nodes = new Map(layout.nodes.map(({ node }) => [node.id, node]));
  const [wide, high] = [number(layout.width), number(layout.height)];
  return [
    `<svg class="graph" role="img" aria-label="${htmlText(title)}" viewBox="0 0 ${wide} ${high}" width="${wide}" height="${high}">`,
    `<title>${htmlText(title)}</title>`,
    '<defs><marker id="arrow" class="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>',
    ...layout.namespaces.map(
      ({ namespace, x, y, width: w, height: h }) =>
        `<g class="namespace"><rect x="${number(x)}" y="${number(y)}" width="${number(w)}" height="${number(h)}" rx="8"/>` +
        `<text x="${number(x + 12)}" y="${number(y + 18)}">${htmlText(shownLabel(namespace))}</text></g>`,
    ),
    ...layout.edges.map((edge) => drawnEdge(edge, nodes)),
    ...layout.nodes.map(drawnNode),
    '</svg>',
  ].join('\n');
}
