import { s, setAttributes } from './dom.ts';
import { nextInDirection, type Direction } from './keyboard.ts';
import type { Box } from './placement.ts';
import { Layer } from './layer.ts';
import type { Scene, SceneArea, SceneEdge, SceneNode } from './scene.ts';
import { areaShape, edgeShape, nodeShape } from './shapes.ts';
import type { Selection } from './state.ts';
import { fitting, panned, seen, type Viewport, zoomed } from './viewport.ts';

export interface GraphEvents {
  readonly select: (selection: Selection | undefined) => void;
  readonly toggle: (namespace: string) => void;
  /** How far a namespace is rolled out. */
  readonly rollout: (namespace: string) => void;
  /** Another zoom may show other things. */
  readonly scaled: () => void;
  /** There is more or less room. */
  readonly resized: () => void;
}

const NOTHING: Scene = Object.freeze({ areas: [], nodes: [], edges: [], left: 0 });
const ZOOM_STEP = 1.25;
const PAN_STEP = 80;
const DIRECTIONS: Readonly<Record<string, Direction>> = Object.freeze({
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
});

/** The drawing: shows the part of a scene that is in sight, and moves over it by mouse, touch and keys. */
export class GraphView {
  readonly element: SVGSVGElement;
  readonly #events: GraphEvents;
  readonly #world = s('g');
  readonly #areas = new Layer<SceneArea>(({ namespace }) => `namespace:${namespace}`, areaShape);
  /** Those that stand for their workloads, above the lines between them. */
  readonly #closed = new Layer<SceneArea>(({ namespace }) => `namespace:${namespace}`, areaShape);
  readonly #edges = new Layer<SceneEdge>(({ id }) => id, edgeShape);
  readonly #nodes = new Layer<SceneNode>(({ node }) => node.id, nodeShape);
  #scene: Scene = NOTHING;
  #view: Viewport = { x: 0, y: 0, scale: 1 };
  #moved = false;
  /** What is chosen is shown as chosen. */
  #marked = false;
  #frame = 0;
  #current: string | undefined;
  #selected: ReadonlySet<string> = new Set();
  #dimmed: ((id: string) => boolean) | undefined;

  constructor(events: GraphEvents) {
    this.#events = events;
    this.#world.append(this.#areas.element, this.#edges.element, this.#closed.element, this.#nodes.element);
    this.element = s('svg', { class: 'graph', role: 'group', 'aria-label': 'Graph of calls', tabindex: '0' }, this.#world);
    this.element.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    this.element.addEventListener('pointerdown', (event) => this.#drag(event));
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.element.addEventListener('focusin', ({ target }) => {
      const id = target instanceof Element ? target.closest<SVGGElement>('[data-id]')?.dataset['id'] : undefined;
      if (id !== undefined && id !== this.#current) {
        this.#current = id;
        this.#marked = false;
        this.#draw();
      }
    });
    this.element.addEventListener('focus', () => {
      if (this.#current === undefined) this.#focus(this.#scene.nodes[0]?.node.id ?? this.#areaIds()[0]);
    });
    new ResizeObserver(() => this.#events.resized()).observe(this.element);
  }

  get scale(): number {
    return this.#view.scale;
  }

  /** Nobody has moved it since it was fitted. */
  get untouched(): boolean {
    return !this.#moved;
  }

  /** @param boxes all that there is, also what is not drawn at this zoom */
  fit(boxes: readonly Box[]): void {
    const { clientWidth, clientHeight } = this.element;
    if (clientWidth === 0 || boxes.length === 0) return;
    this.#moved = false;
    this.#look(fitting(boxes, clientWidth, clientHeight));
  }

  show(scene: Scene, selection: Selection | undefined, dimmed: ((id: string) => boolean) | undefined): void {
    this.#scene = scene;
    this.#dimmed = dimmed;
    this.#marked = false;
    this.#selected = new Set(selection === undefined ? [] : idsOf(selection, scene));
    setAttributes(this.element, {
      'aria-label': `Graph of calls: ${scene.areas.length} namespaces, ${scene.nodes.length} workloads and ${scene.edges.length} edges shown. Arrow keys move between them, Enter opens, E goes along the edges, R tells of the namespace's rollout, plus and minus zoom, 0 shows all.`,
    });
    this.#draw();
  }

  /** Brings something into the middle, near enough to be read. */
  reveal(box: Box): void {
    const { clientWidth, clientHeight } = this.element;
    const scale = Math.max(0.9, this.#view.scale);
    this.#moved = true;
    this.#look({
      scale,
      x: box.x + box.width / 2 - clientWidth / 2 / scale,
      y: box.y + box.height / 2 - clientHeight / 2 / scale,
    });
  }

  /** Moves only as far as is needed to see what is chosen, at the same zoom. */
  keepInSight(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const boxes = [
      ...this.#scene.nodes.flatMap(({ node, box }) => (this.#selected.has(node.id) ? [box] : [])),
      ...this.#scene.edges.flatMap(({ id, from, to }) => (this.#selected.has(id) ? [span(from, to)] : [])),
    ];
    const [box] = boxes;
    if (box === undefined || inside(box, this.#view, width, height)) return this.#draw();
    const { scale } = this.#view;
    this.#look({ scale, x: box.x + box.width / 2 - width / 2 / scale, y: box.y + box.height / 2 - height / 2 / scale });
  }

  zoom(factor: number): void {
    this.#moved = true;
    this.#look(zoomed(this.#view, factor, { x: this.element.clientWidth / 2, y: this.element.clientHeight / 2 }));
  }

  focusOn(id: string): void {
    this.#focus(id);
  }

  #look(view: Viewport): void {
    const scaled = view.scale !== this.#view.scale;
    this.#view = view;
    if (scaled) this.#events.scaled();
    this.#draw();
  }

  #draw(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#render();
    });
  }

  #render(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const { x, y, scale } = this.#view;
    setAttributes(this.#world, { transform: `scale(${scale}) translate(${-x} ${-y})` });
    // What is to be of one size on the screen is scaled by it.
    this.element.style.setProperty('--unit', String(1 / scale));
    this.element.style.setProperty('--tip', String(Math.max(1, 0.75 / scale)));
    const inSight = (box: Box): boolean => seen(box, this.#view, width, height);
    // What has the focus stays, also out of sight: it is to come back to.
    const current = this.#current;
    const changed = [
      this.#areas.show(this.#scene.areas.filter(({ box, open }) => open && inSight(box))),
      this.#closed.show(this.#scene.areas.filter(({ box, open }) => !open && inSight(box))),
      this.#nodes.show(this.#scene.nodes.filter(({ box, node }) => node.id === current || inSight(box))),
      this.#edges.show(this.#scene.edges.filter(({ id, from, to }) => id === current || inSight(span(from, to)))),
    ];
    if (!changed.includes(true) && this.#marked) return;
    this.#mark();
    this.#marked = true;
  }

  /** What is chosen, what belongs to it, and what a search leaves aside. */
  #mark(): void {
    const related = new Set(this.#selected);
    for (const { id, source, target } of this.#scene.edges)
      if (this.#selected.has(source) || this.#selected.has(target) || this.#selected.has(id)) {
        related.add(id);
        related.add(source);
        related.add(target);
      }
    const some = this.#selected.size > 0;
    const current = this.#current;
    for (const element of this.element.querySelectorAll<SVGGElement>('[data-id]')) {
      const id = element.dataset['id'] ?? '';
      element.classList.toggle('selected', this.#selected.has(id));
      element.classList.toggle(
        'aside',
        (some && !related.has(id) && !id.startsWith('namespace:')) || (this.#dimmed?.(id) ?? false),
      );
      setAttributes(element, { tabindex: id === current ? '0' : '-1' });
    }
    setAttributes(this.element, { tabindex: current !== undefined && this.#find(current) !== undefined ? '-1' : '0' });
  }

  #find(id: string): SVGGElement | undefined {
    return [...this.element.querySelectorAll<SVGGElement>('[data-id]')].find((one) => one.dataset['id'] === id);
  }

  #areaIds(): readonly string[] {
    return this.#scene.areas.map(({ namespace }) => `namespace:${namespace}`);
  }

  #boxes(): ReadonlyMap<string, Box> {
    return new Map([
      ...this.#scene.areas.map(
        ({ namespace, box, open }) => [`namespace:${namespace}`, open ? { ...box, height: 34 } : box] as const,
      ),
      ...this.#scene.nodes.map(({ node, box }) => [node.id, box] as const),
    ]);
  }

  #focus(id: string | undefined): void {
    if (id === undefined) return;
    this.#current = id;
    this.#marked = false;
    const box = this.#boxes().get(id);
    const { clientWidth: width, clientHeight: height } = this.element;
    if (box !== undefined && !inside(box, this.#view, width, height)) this.reveal(box);
    if (this.#frame !== 0) {
      cancelAnimationFrame(this.#frame);
      this.#frame = 0;
    }
    this.#render();
    this.#find(id)?.focus({ preventScroll: true });
  }

  #open(id: string): void {
    const edge = this.#scene.edges.find((one) => one.id === id);
    if (edge !== undefined) this.#events.select(edgeSelection(edge));
    else if (id.startsWith('namespace:')) this.#events.toggle(id.slice('namespace:'.length));
    else this.#events.select({ kind: 'node', id });
  }

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const direction = DIRECTIONS[event.key];
    const current = this.#current;
    if (direction !== undefined && event.shiftKey) {
      const [dx, dy] = { left: [1, 0], right: [-1, 0], up: [0, 1], down: [0, -1] }[direction];
      this.#moved = true;
      this.#look(panned(this.#view, (dx ?? 0) * PAN_STEP, (dy ?? 0) * PAN_STEP));
    } else if (direction !== undefined) {
      const edge = this.#scene.edges.find(({ id }) => id === current);
      const from = edge?.source ?? current;
      this.#edgesOf = undefined;
      this.#focus(from === undefined ? this.#boxes().keys().next().value : nextInDirection(this.#boxes(), from, direction));
    } else if (event.key === 'Enter' || event.key === ' ') {
      if (current !== undefined) this.#open(current);
    } else if (event.key === 'e' || event.key === 'E') this.#nextEdge(event.shiftKey ? -1 : 1);
    else if (event.key === '+' || event.key === '=') this.zoom(ZOOM_STEP);
    else if (event.key === '-') this.zoom(1 / ZOOM_STEP);
    else if (event.key === '0') this.fit(this.#scene.areas.map(({ box }) => box));
    else if (event.key === 'r' || event.key === 'R') this.#rolloutOf(current);
    else if (event.key === 'Escape') this.#events.select(undefined);
    else return;
    event.preventDefault();
  }

  #rolloutOf(id: string | undefined): void {
    const node = this.#scene.nodes.find((one) => one.node.id === id)?.node;
    const namespace = node?.namespace ?? (id?.startsWith('namespace:') === true ? id.slice('namespace:'.length) : undefined);
    if (namespace !== undefined) this.#events.rollout(namespace);
  }

  /** Along the edges of the workload or namespace that was reached last. */
  #nextEdge(step: 1 | -1): void {
    const { edges, nodes } = this.#scene;
    const at = edges.find(({ id }) => id === this.#current);
    if (at === undefined) this.#edgesOf = this.#current;
    const of = this.#edgesOf ?? at?.source;
    const inside = new Set(nodes.flatMap(({ node }) => (`namespace:${node.namespace}` === of ? [node.id] : [])));
    const near = edges.filter((edge) => [edge.source, edge.target].some((end) => end === of || inside.has(end)));
    const list = near.length === 0 ? edges : near;
    const index = at === undefined ? (step === 1 ? 0 : list.length - 1) : list.indexOf(at) + step;
    this.#focus(list[(index + list.length) % Math.max(1, list.length)]?.id);
  }

  #edgesOf: string | undefined;

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    this.#moved = true;
    const { left, top } = this.element.getBoundingClientRect();
    if (event.ctrlKey || event.deltaMode !== 0 || Math.abs(event.deltaY) >= 40 || event.deltaX === 0)
      this.#look(
        zoomed(this.#view, Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), {
          x: event.clientX - left,
          y: event.clientY - top,
        }),
      );
    else this.#look(panned(this.#view, -event.deltaX, -event.deltaY));
  }

  #drag(down: PointerEvent): void {
    if (down.button !== 0) return;
    const start = this.#view;
    let travelled = 0;
    const target = down.target instanceof Element ? down.target.closest<SVGGElement>('[data-id]') : null;
    const onStage = down.target instanceof Element && down.target.closest('.stage') !== null;
    const ended = new AbortController();
    const move = (event: PointerEvent): void => {
      const [dx, dy] = [event.clientX - down.clientX, event.clientY - down.clientY];
      travelled = Math.max(travelled, Math.hypot(dx, dy));
      if (travelled < 4) return;
      this.#moved = true;
      this.element.classList.add('dragged');
      this.#look(panned(start, dx, dy));
    };
    const up = (): void => {
      ended.abort();
      this.element.classList.remove('dragged');
      if (travelled >= 4) return;
      const id = target?.dataset['id'];
      if (id === undefined) {
        this.#events.select(undefined);
        return;
      }
      this.#current = id;
      this.#edgesOf = undefined;
      if (onStage) this.#rolloutOf(id);
      else this.#open(id);
    };
    addEventListener('pointermove', move, { signal: ended.signal });
    addEventListener('pointerup', up, { signal: ended.signal });
    addEventListener('pointercancel', () => ended.abort(), { signal: ended.signal });
  }
}

function span(from: { readonly x: number; readonly y: number }, to: { readonly x: number; readonly y: number }): Box {
  return {
    x: Math.min(from.x, to.x) - 60,
    y: Math.min(from.y, to.y),
    width: Math.abs(to.x - from.x) + 120,
    height: Math.abs(to.y - from.y),
  };
}

function inside(box: Box, { x, y, scale }: Viewport, width: number, height: number): boolean {
  return (
    box.x >= x &&
    box.y >= y &&
    box.x + Math.min(box.width, width / scale) <= x + width / scale &&
    box.y + box.height <= y + height / scale
  );
}

function edgeSelection({ source, target, members }: SceneEdge): Selection {
  const [only, ...more] = members;
  if (only !== undefined && more.length === 0) return { kind: 'edge', source: only.source, target: only.target };
  return only === undefined && !source.startsWith('namespace:') && !target.startsWith('namespace:')
    ? { kind: 'edge', source, target }
    : { kind: 'bundle', source, target };
}

function idsOf(selection: Selection, { edges }: Scene): readonly string[] {
  switch (selection.kind) {
    case 'node':
      return [selection.id];
    case 'namespace':
      return [`namespace:${selection.name}`];
    case 'rollout':
      return [`namespace:${selection.namespace}`];
    case 'edge':
      return edges
        .filter(({ members, source, target }) =>
          members.length === 0
            ? source === selection.source && target === selection.target
            : members.some((one) => one.source === selection.source && one.target === selection.target),
        )
        .map(({ id }) => id);
    case 'bundle':
      return edges.filter(({ source, target }) => source === selection.source && target === selection.target).map(({ id }) => id);
    default:
      return selection satisfies never;
  }
}
