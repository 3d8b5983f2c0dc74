import type { GraphNode } from '../api/graph.ts';
import { type Look, sign, strokeWidth } from './appearance.ts';
import { s, setAttributes } from './dom.ts';
import { compact, counted, cut, short, told } from './format.ts';
import { STAGE_NAMES } from './stages.ts';
import type { SceneArea, SceneEdge, SceneNode } from './scene.ts';

/** The elements of the graph: each is made once and changed in place after. */
export function curve({ from, to }: Pick<SceneEdge, 'from' | 'to'>): string {
  const distance = Math.abs(to.x - from.x);
  // Boxes above one another: a bow beside them.
  const bend =
    from.side === to.side ? 46 + Math.min(120, Math.abs(to.y - from.y) * 0.12) : Math.max(28, Math.min(160, distance * 0.5));
  return `M${from.x} ${from.y}C${from.x + from.side * bend} ${from.y} ${to.x + to.side * bend} ${to.y} ${to.x} ${to.y}`;
}

/** The middle of the curve. */
export function middle({ from, to }: Pick<SceneEdge, 'from' | 'to'>): { readonly x: number; readonly y: number } {
  const bow = from.side === to.side ? (46 + Math.min(120, Math.abs(to.y - from.y) * 0.12)) * 0.75 * from.side : 0;
  return { x: (from.x + to.x) / 2 + bow, y: (from.y + to.y) / 2 };
}

const OUTLINES: Readonly<Record<GraphNode['kind'], (width: number, height: number) => string>> = Object.freeze({
  workload: (w, h) => `M8 0H${w - 8}Q${w} 0 ${w} 8V${h - 8}Q${w} ${h} ${w - 8} ${h}H8Q0 ${h} 0 ${h - 8}V8Q0 0 8 0Z`,
  identity: (w, h) => `M14 0H${w - 14}L${w} ${h / 2}L${w - 14} ${h}H14L0 ${h / 2}Z`,
  service: (w, h) => `M0 0H${w}V${h}H0Z`,
  outside: (w, h) =>
    `M${h / 2} 0H${w - h / 2}A${h / 2} ${h / 2} 0 0 1 ${w - h / 2} ${h}H${h / 2}A${h / 2} ${h / 2} 0 0 1 ${h / 2} 0Z`,
});

const KIND_NAMES: Readonly<Record<GraphNode['kind'], string>> = Object.freeze({
  workload: 'workload',
  identity: 'identity',
  service: 'service',
  outside: 'callers',
});

export interface Shape<T> {
  readonly element: SVGGElement;
  update(value: T): void;
}

export function nodeShape(first: SceneNode): Shape<SceneNode> {
  const { node, box } = first;
  const outline = s('path', { class: 'outline', d: OUTLINES[node.kind](box.width, box.height) });
  const inset = node.kind === 'outside' || node.kind === 'identity' ? 20 : 12;
  const name = s('text', { class: 'name', x: inset, y: 20 }, cut(node.name, node.kind === 'workload' ? 23 : 20));
  const detail = s('text', { class: 'detail', x: inset, y: 36 });
  const title = s('title');
  const element = s(
    'g',
    { class: `node ${node.kind}`, role: 'button', tabindex: '-1', 'data-id': node.id },
    title,
    outline,
    name,
    // Between words, for those who read the text alone.
    ' ',
    detail,
  );
  return {
    element,
    update({ node: { namespace, name: full, kind, present }, box: at, received, sent, denied, open }) {
      const lines = [
        received > 0 ? `${compact(received)} in` : '',
        sent > 0 ? `${compact(sent)} out` : '',
        denied > 0 ? `${compact(denied)} denied` : '',
      ].filter((text) => text !== '');
      const all = lines.length === 0 ? 'no calls' : lines.join(' · ');
      // All three do not fit.
      const text = lines.length === 3 ? [lines[0], lines[2]].join(' · ') : all;
      // What is seen comes first, for those who speak to the page.
      const label = `${cut(full, kind === 'workload' ? 23 : 20)} ${text}; ${KIND_NAMES[kind]} ${told(full)} in ${told(namespace)}, ${all}${open ? '; no ALLOW policy applies' : ''}${present ? '' : '; not configured any more'}`;
      if (detail.textContent !== text) detail.textContent = text;
      if (title.textContent !== label) title.textContent = label;
      setAttributes(element, { transform: `translate(${at.x} ${at.y})`, 'aria-label': label });
      element.classList.toggle('quiet', received + sent === 0);
      element.classList.toggle('denying', denied > 0);
      element.classList.toggle('unguarded', open);
      element.classList.toggle('gone', !present);
    },
  };
}

export function areaShape(first: SceneArea): Shape<SceneArea> {
  const outline = s('rect', { class: 'outline', rx: 14 });
  const handle = s('rect', { class: 'handle', rx: 14, height: 34 });
  const chevron = s('path', { class: 'chevron' });
  const name = s('text', { class: 'name' }, told(first.namespace));
  const count = s('text', { class: 'count' });
  const badge = s('rect', { rx: 9, height: 18 });
  const word = s('text', { y: 13, 'text-anchor': 'middle' });
  const stage = s('g', { class: 'stage' }, badge, word);
  const place = s('g', {}, stage);
  const header = s(
    'g',
    { class: 'header', role: 'button', tabindex: '-1', 'data-id': `namespace:${first.namespace}` },
    handle,
    chevron,
    name,
    count,
    place,
  );
  const element = s('g', { class: 'area' }, outline, header);
  return {
    element,
    update({ namespace, box, open, workloads, stage: reached }) {
      setAttributes(element, { transform: `translate(${box.x} ${box.y})` });
      setAttributes(outline, { width: box.width, height: box.height });
      setAttributes(handle, { width: box.width, height: open ? 34 : box.height });
      element.classList.toggle('closed', !open);
      element.classList.toggle('staged', reached !== undefined);
      const text = counted(workloads, 'workload');
      setAttributes(header, {
        'aria-expanded': open ? 'true' : 'false',
        'aria-label': `namespace ${told(namespace)}: ${text}${reached === undefined ? '' : `, rollout at ${STAGE_NAMES[reached]}`}`,
      });
      const shown = reached === undefined ? '' : STAGE_NAMES[reached];
      if (word.textContent !== shown) word.textContent = shown;
      const width = shown.length * 6.4 + 16;
      // Its middle is its place, so that it can be of one size at any zoom; see graph.css.
      setAttributes(badge, { width, x: -width / 2 });
      setAttributes(stage, { class: `stage ${reached ?? 'none'}` });
      setAttributes(place, {
        transform: open ? `translate(${box.width - width / 2 - 12} 9)` : `translate(${box.width / 2} ${box.height / 2})`,
      });
      if (open) {
        setAttributes(chevron, { d: 'M16 14l5 6 5-6' });
        setAttributes(name, { x: 34, y: 23, transform: undefined });
        count.textContent = '';
      } else {
        setAttributes(chevron, { d: undefined });
        // Of one size on the screen at any zoom; see graph.css.
        setAttributes(name, { x: 0, y: -2, transform: `translate(${box.width / 2} ${box.height / 2})` });
        setAttributes(count, { x: 0, y: 16, transform: `translate(${box.width / 2} ${box.height / 2})` });
        count.textContent = text;
      }
    },
  };
}

function edgeLabel({ source, target, counts, look, members }: SceneEdge): string {
  const name = (id: string): string => told(id.slice(id.indexOf(':') + 1));
  const { calls, denied, wouldBeDenied, plain, unreached } = counts;
  if (look === 'granted') return `${name(source)} may call ${name(target)} and did not`;
  const parts = [
    counted(calls, 'call'),
    denied > 0 ? `${short(denied)} denied` : '',
    wouldBeDenied > 0 ? `${short(wouldBeDenied)} would be denied` : '',
    plain > 0 ? `${short(plain)} in plain text` : '',
    unreached > 0 ? `${short(unreached)} never arrived` : '',
    members.length > 1 ? `${members.length} edges` : '',
    look === 'ungranted' ? 'not granted by the policies of now' : '',
  ].filter((text) => text !== '');
  return `${name(source)} calls ${name(target)}: ${parts.join(', ')}`;
}

export function edgeShape(first: SceneEdge): Shape<SceneEdge> {
  const hit = s('path', { class: 'hit' });
  const line = s('path', { class: 'line' });
  const head = s('path', { class: 'head', d: 'M0 0L-9 -4.5L-6.5 0L-9 4.5Z' });
  const tip = s('g', {}, head);
  const badge = s('g', { class: 'badge' }, s('circle', { r: 8 }), s('text', { y: 4, 'text-anchor': 'middle' }));
  const spot = s('g', {}, badge);
  const title = s('title');
  const element = s('g', { role: 'button', tabindex: '-1', 'data-id': first.id }, title, hit, line, tip, spot);
  let calls = first.counts.calls;
  return {
    element,
    update(edge) {
      const { counts, look, from, to } = edge;
      const d = curve(edge);
      setAttributes(hit, { d });
      setAttributes(line, { d, 'stroke-width': strokeWidth(counts.calls) });
      setAttributes(tip, { transform: `translate(${to.x} ${to.y}) scale(${to.side === -1 ? 1 : -1} 1)` });
      const mark = look === 'granted' ? '' : sign(counts);
      const { x, y } = middle({ from, to });
      setAttributes(spot, { transform: `translate(${x} ${y})`, class: mark === '' ? 'none' : undefined });
      const text = badge.lastElementChild;
      if (text !== null && text.textContent !== mark) text.textContent = mark;
      const label = edgeLabel(edge);
      if (title.textContent !== label) title.textContent = label;
      setAttributes(element, { 'aria-label': label });
      const signed = mark === '✕' ? 'signed-denied' : mark === '!' ? 'signed-would' : '';
      const between = edge.source.startsWith('namespace:') && edge.target.startsWith('namespace:') ? 'between' : '';
      const fresh = counts.calls > calls ? 'fresh' : '';
      calls = counts.calls;
      element.setAttribute('class', ['edge', look, signed, fresh, between].filter((one) => one !== '').join(' '));
    },
  };
}

/** For legends: the same line as in the graph. */
export function sample(look: Look): SVGSVGElement {
  const svg = s('svg', { class: 'sample', width: 34, height: 12, 'aria-hidden': 'true', viewBox: '0 0 34 12' });
  svg.append(
    s(
      'g',
      { class: `edge ${look}` },
      s('path', { class: 'line', d: 'M1 6H26', 'stroke-width': 2 }),
      s('path', { class: 'head', d: 'M33 6L24 1.5L26.5 6L24 10.5Z' }),
    ),
  );
  return svg;
}
