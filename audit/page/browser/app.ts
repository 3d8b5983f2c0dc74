import type { Access, Session } from '../api/details.ts';
import type { Graph, Series } from '../api/graph.ts';
import type { RolloutPreview } from '../api/rollout.ts';
import { Controls } from './controls.ts';
import { h } from './dom.ts';
import { bundlePanel } from './bundle-panel.ts';
import { edgePanel } from './edge-panel.ts';
import { ask, Refused } from './fetching.ts';
import { number, told } from './format.ts';
import { GraphView } from './graph-view.ts';
import { accessTables, callsTable, certificatesTable, nameOf, proxiesSummary, proxiesTable } from './lists.ts';
import { Panel } from './panel.ts';
import { boxOfCells, nodeBox, place, type Box, type Placement } from './placement.ts';
import { forgetPlaces, keepPlaces, readPlaces } from './remembered.ts';
import { rolloutPanel } from './rollout-panel.ts';
import { RolloutView } from './rollout-view.ts';
import { isDetailed, type Scene, sceneOf, shownEdges } from './scene.ts';
import { matching, searchBox } from './search.ts';
import { initialState, keepState, periodOf, RANGES, type Selection, type State, VIEWS } from './state.ts';
import { Summary } from './summary.ts';
import { themeSwitch } from './theme.ts';
import { Timeline } from './timeline.ts';
import { nodePanel, workloadPanel } from './workload-panel.ts';

const SLIDE_MS = 15_000;
const STEPS = '120';

/** The page: what the reader chose, what the server told, and how both are shown. */
export class App {
  #state: State = initialState();
  #session: Session | undefined;
  #graph: Graph | undefined;
  #series: Series | undefined;
  #access: Access | undefined;
  #placement: Placement = readPlaces();
  #scene: Scene | undefined;
  #isDetailed = false;
  #loading: AbortController | undefined;
  #panelLoading: AbortController | undefined;
  #again = false;

  readonly #root: HTMLElement;
  readonly #view = new GraphView({
    select: (selection) => this.#select(selection),
    toggle: (namespace) => this.#toggle(namespace),
    rollout: (namespace) => this.#select({ kind: 'rollout', namespace }),
    scaled: () => {
      if (this.#isDetailed !== isDetailed(this.#view.scale)) this.#drawScene();
    },
    resized: () => {
      if (this.#state.selection === undefined && this.#view.untouched) this.#fit();
      else this.#view.keepInSight();
    },
  });
  readonly #controls = new Controls({
    change: (change) => this.#change(change),
    fit: () => this.#fit(),
    zoom: (factor) => this.#view.zoom(factor),
    rearrange: () => {
      forgetPlaces();
      this.#placement = new Map();
      this.#drawGraph();
      this.#fit();
    },
    collapseAll: () => this.#change({ collapsed: new Set(this.#graph?.nodes.map(({ namespace }) => namespace)) }),
    expandAll: () => this.#change({ collapsed: new Set() }),
  });
  readonly #timeline = new Timeline({
    choose: (window) =>
      this.#change({ window, ...(window === undefined ? {} : { until: this.#state.until ?? this.#ends() }) }, true),
  });
  readonly #panel = new Panel(() => this.#select(undefined));
  readonly #calls = callsTable(
    () => new Map(this.#graph?.nodes.map((node) => [node.id, node])),
    (source, target) => this.#select({ kind: 'edge', source, target }),
  );
  readonly #accessTables = accessTables();
  readonly #certificates = certificatesTable();
  readonly #proxies = proxiesTable();
  readonly #proxiesText = h('p', { class: 'soft' });
  readonly #certificatesText = h('p', { class: 'soft' });
  readonly #summary = new Summary();
  readonly #rollouts = new RolloutView((namespace) => this.#select({ kind: 'rollout', namespace }));
  /** What the next step would be, where somebody asked for it; until the selection goes. */
  #preview: RolloutPreview | 'asked' | undefined;
  readonly #nav = h('nav', { 'aria-label': 'Views' });
  readonly #times = h('div', { class: 'times' });
  readonly #who = h('div', { class: 'who' });
  readonly #views = {
    graph: h('section', { class: 'view graph-view', 'aria-label': 'Graph' }),
    rollout: h('section', { class: 'view list', 'aria-label': 'Rollout' }),
    calls: h('section', { class: 'view list', 'aria-label': 'Calls' }),
    access: h('section', { class: 'view list', 'aria-label': 'Access' }),
    certificates: h('section', { class: 'view list', 'aria-label': 'Certificates' }),
    proxies: h('section', { class: 'view list', 'aria-label': 'Proxies' }),
  };

  constructor(root: HTMLElement) {
    this.#root = root;
    const search = searchBox({
      nodes: () => this.#graph?.nodes ?? [],
      searched: (text) => this.#change({ search: text }),
      chosen: ({ id, namespace }) => {
        const collapsed = new Set(this.#state.collapsed);
        collapsed.delete(namespace);
        this.#change({ view: 'graph', collapsed, quiet: true });
        const box = this.#boxOf(id);
        if (box !== undefined) this.#view.reveal(box);
        this.#select({ kind: 'node', id });
      },
    });
    this.#views.graph.append(h('h1', { class: 'unseen' }, 'Who talks to whom'), this.#controls.element, this.#view.element);
    this.#views.rollout.append(...this.#rollouts.elements);
    this.#views.calls.append(h('h1', {}, 'Calls'), this.#calls.element);
    this.#views.access.append(h('h1', {}, 'May talk, did talk'), ...this.#accessTables.elements);
    this.#views.certificates.append(h('h1', {}, 'Certificates'), this.#certificatesText, this.#certificates.element);
    this.#views.proxies.append(h('h1', {}, 'Proxies'), this.#proxiesText, this.#proxies.element);
    this.#root.replaceChildren(
      h('a', { class: 'skip', href: '#main', onclick: (event) => this.#skip(event) }, 'To the content'),
      h('header', { class: 'top' }, h('span', { class: 'title' }, 'Gatehouse'), this.#nav, search, themeSwitch(), this.#who),
      h('section', { class: 'strip', 'aria-label': 'Summary' }, this.#summary.facts, this.#summary.message),
      h('main', { id: 'main', tabindex: '-1' }, Object.values(this.#views), this.#panel.element),
      h('footer', { class: 'timeline' }, this.#times, this.#timeline.element),
    );
    this.#frame();
  }

  async start(): Promise<void> {
    const [session] = await Promise.all([ask('/api/session').catch((error: unknown) => this.#failed(error)), this.#load()]);
    this.#session = session;
    this.#frame();
    const events = new EventSource('/api/events');
    events.addEventListener('version', () => {
      if (this.#following) void this.#load();
      else {
        void this.#loadRollouts();
        if (this.#state.view === 'proxies' || this.#state.view === 'certificates') void this.#loadView();
        if (this.#state.selection?.kind === 'rollout') void this.#loadPanel();
      }
    });
    events.addEventListener('open', () => void this.#checkVersion());
    setInterval(() => {
      if (this.#following && !document.hidden) void this.#load();
    }, SLIDE_MS);
    document.addEventListener('visibilitychange', () => {
      if (this.#following && !document.hidden) void this.#load();
    });
  }

  get #following(): boolean {
    return this.#state.until === undefined && this.#state.window === undefined;
  }

  /** The server was replaced by another version: its page goes with it. */
  async #checkVersion(): Promise<void> {
    const session = await ask('/api/session').catch((error: unknown) => this.#failed(error));
    if (session !== undefined && this.#session !== undefined && session.version !== this.#session.version) location.reload();
  }

  #skip(event: Event): void {
    event.preventDefault();
    this.#root.querySelector<HTMLElement>('#main')?.focus();
  }

  #ends(): number {
    return Date.parse(this.#graph?.period.until ?? new Date().toISOString());
  }

  #failed(error: unknown): undefined {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    if (error instanceof Refused && error.status === 401) {
      location.assign('/login');
      return undefined;
    }
    this.#summary.problem(error instanceof Error ? told(error.message) : 'the server does not answer');
    return undefined;
  }

  #change(change: Partial<State>, reload = false): void {
    this.#state = { ...this.#state, ...change };
    keepState(this.#state);
    this.#frame();
    if (reload) void this.#load();
    else {
      this.#drawGraph();
      void this.#loadView();
    }
  }

  #select(selection: Selection | undefined): void {
    this.#state = { ...this.#state, selection };
    this.#preview = undefined;
    this.#panel.element.classList.toggle('rollout', selection?.kind === 'rollout');
    this.#drawScene();
    if (selection === undefined) {
      this.#panelLoading?.abort();
      this.#panel.close();
      return;
    }
    this.#panel.open(this.#titleOf(selection));
    void this.#loadPanel();
  }

  #toggle(namespace: string): void {
    const collapsed = new Set(this.#state.collapsed);
    const area = this.#scene?.areas.find((one) => one.namespace === namespace);
    if (area !== undefined && !area.open && !area.collapsed) {
      // It is only too far away.
      this.#view.reveal({ ...area.box, height: Math.min(area.box.height, 400) });
      return;
    }
    if (!collapsed.delete(namespace)) collapsed.add(namespace);
    this.#change({ collapsed });
  }

  /** Only one question at a time; what comes meanwhile is asked once more after. */
  async #load(): Promise<void> {
    if (this.#loading !== undefined && this.#following) {
      this.#again = true;
      return;
    }
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    const now = Date.now();
    const shown = periodOf(this.#state, now);
    const range = periodOf({ ...this.#state, window: undefined }, now);
    const written = (period: { readonly since: number; readonly until: number }): Record<string, string> => ({
      since: new Date(period.since).toISOString(),
      until: new Date(period.until).toISOString(),
    });
    try {
      const [graph, series] = await Promise.all([
        ask('/api/graph', written(shown), loading.signal),
        ask('/api/series', { ...written(range), steps: STEPS }, loading.signal),
      ]);
      this.#graph = graph;
      this.#series = series;
      this.#drawGraph();
      // After what is drawn first: the graph does without it.
      void this.#loadRollouts();
      void this.#loadView();
      if (this.#state.selection !== undefined) void this.#loadPanel();
    } catch (error) {
      this.#failed(error);
    } finally {
      if (this.#loading === loading) this.#loading = undefined;
      if (this.#again) {
        this.#again = false;
        void this.#load();
      }
    }
  }

  #period(): Record<string, string> {
    const { since, until } = this.#graph?.period ?? { since: '', until: '' };
    return { since, until };
  }

  async #loadView(): Promise<void> {
    const { view, overlay } = this.#state;
    try {
      if (view === 'certificates') {
        const { certificates, omitted, known } = await ask('/api/certificates');
        this.#certificates.show(certificates);
        this.#certificatesText.textContent = known
          ? `From the issuance log of this control plane${omitted > 0 ? `; ${number(omitted)} more are not shown` : ''}.`
          : 'The issuance log cannot be read here.';
      } else if (view === 'proxies') {
        const list = await ask('/api/proxies');
        this.#proxies.show(list.proxies);
        this.#proxiesText.textContent = proxiesSummary(list);
      }
      if ((view === 'access' || overlay) && this.#graph !== undefined) {
        this.#access = await ask('/api/access', this.#period());
        this.#accessTables.show(this.#access, this.#graph);
        if (overlay) this.#drawScene();
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  async #loadPanel(): Promise<void> {
    const { selection } = this.#state;
    const graph = this.#graph;
    if (selection === undefined || graph === undefined) return;
    this.#panelLoading?.abort();
    const { signal } = (this.#panelLoading = new AbortController());
    const open = (source: string, target: string): void => this.#select({ kind: 'edge', source, target });
    const openNode = (id: string): void => this.#select({ kind: 'node', id });
    try {
      if (selection.kind === 'edge') {
        const { source, target } = selection;
        const details = await ask('/api/edge', { ...this.#period(), source, target }, signal);
        this.#panel.fill(edgePanel(details, openNode, Date.now()));
      } else if (selection.kind === 'node') {
        const node = graph.nodes.find(({ id }) => id === selection.id);
        const details =
          node?.kind === 'workload' && node.present
            ? await ask('/api/workload', { ...this.#period(), id: node.id }, signal).catch((error: unknown) => orNothing(error))
            : undefined;
        if (details !== undefined) this.#panel.fill(workloadPanel(details, graph, open, Date.now()));
        else if (node !== undefined) this.#panel.fill(nodePanel(node, graph, open));
      } else if (selection.kind === 'rollout') {
        const { namespace } = selection;
        const details = await ask('/api/rollout', { namespace }, signal);
        this.#panel.fill(
          ...rolloutPanel({
            details,
            preview: this.#preview,
            askPreview: () => void this.#askPreview(namespace),
            now: Date.now(),
          }),
        );
      } else {
        const members = this.#scene?.edges
          .filter((edge) => selection.kind === 'bundle' && edge.source === selection.source && edge.target === selection.target)
          .flatMap((edge) => edge.members);
        this.#panel.fill(bundlePanel(members ?? [], open));
      }
    } catch (error) {
      if (error instanceof Refused && error.status === 404)
        this.#panel.fill(
          h('p', {}, selection.kind === 'rollout' ? 'There is no such namespace.' : 'No calls in the time that is shown.'),
        );
      else this.#failed(error);
    }
  }

  async #loadRollouts(): Promise<void> {
    try {
      const before = this.#rollouts.stages;
      this.#rollouts.show(await ask('/api/rollouts'));
      const { stages } = this.#rollouts;
      if (stages.size !== before.size || [...stages].some(([name, stage]) => before.get(name) !== stage)) this.#drawScene();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #askPreview(namespace: string): Promise<void> {
    this.#preview = 'asked';
    void this.#loadPanel();
    try {
      const preview = await ask('/api/rollout/plan', { namespace });
      const { selection } = this.#state;
      if (selection?.kind !== 'rollout' || selection.namespace !== namespace) return;
      this.#preview = preview;
    } catch (error) {
      this.#preview = undefined;
      this.#failed(error);
    }
    void this.#loadPanel();
  }

  #titleOf(selection: Selection): string {
    switch (selection.kind) {
      case 'edge':
        return 'Calls';
      case 'node':
        return told(this.#graph?.nodes.find(({ id }) => id === selection.id)?.name ?? nameOf(selection.id));
      case 'namespace':
        return told(selection.name);
      case 'rollout':
        return `Rollout of ${told(selection.namespace)}`;
      case 'bundle':
        return `${told(nameOf(selection.source))} to ${told(nameOf(selection.target))}`;
      default:
        return selection satisfies never;
    }
  }

  #boxOf(id: string): Box | undefined {
    for (const area of this.#placement.values()) {
      const cell = area.cells.get(id);
      if (cell !== undefined) return nodeBox(area, cell);
    }
    return undefined;
  }

  #fit(): void {
    const present = new Set(this.#scene?.areas.map(({ namespace }) => namespace));
    this.#view.fit(
      [...this.#placement].flatMap(([name, { x, y, cells }]) => (present.has(name) ? [boxOfCells(x, y, cells.values())] : [])),
    );
  }

  /** Everything that depends on choices alone. */
  #frame(): void {
    const { view, rangeMs } = this.#state;
    this.#nav.replaceChildren(
      ...VIEWS.map((one) =>
        h(
          'button',
          {
            type: 'button',
            'aria-current': one.view === view ? 'page' : undefined,
            onclick: () => this.#change({ view: one.view }),
          },
          one.name,
        ),
      ),
    );
    for (const [name, element] of Object.entries(this.#views)) element.hidden = name !== view;
    const range = h(
      'select',
      {
        'aria-label': 'Range of time',
        onchange: () => this.#change({ rangeMs: Number(range.value), window: undefined }, true),
      },
      RANGES.map(({ ms, name }) => h('option', { value: ms, selected: ms === rangeMs }, `Last ${name}`)),
    );
    const live = h(
      'button',
      {
        type: 'button',
        class: 'live',
        'aria-pressed': this.#following ? 'true' : 'false',
        onclick: () => this.#change(this.#following ? { until: this.#ends() } : { until: undefined, window: undefined }, true),
      },
      h('span', { class: 'dot', 'aria-hidden': 'true' }),
      'Live',
    );
    const focus = document.activeElement;
    const [hadRange, hadLive] = [
      focus instanceof HTMLSelectElement && this.#times.contains(focus),
      focus?.classList.contains('live') === true,
    ];
    this.#times.replaceChildren(range, live);
    if (hadRange) range.focus();
    if (hadLive) live.focus();
    if (this.#session?.authenticated === true)
      this.#who.replaceChildren(
        h('span', { class: 'soft' }, told(this.#session.name)),
        h('form', { method: 'post', action: '/logout' }, h('button', { type: 'submit' }, 'Log out')),
      );
  }

  #drawGraph(): void {
    const graph = this.#graph;
    if (graph === undefined) return;
    const { placement, changed } = this.#placed(graph);
    this.#placement = placement;
    if (changed) keepPlaces(placement);
    const first = this.#scene === undefined;
    this.#controls.show(this.#state, [...new Set(graph.nodes.map(({ namespace }) => namespace))].sort());
    this.#drawScene();
    if (first || (changed && this.#view.untouched)) this.#fit();
    const edges = shownEdges(graph, this.#state);
    this.#calls.show(edges);
    if (this.#series !== undefined) this.#timeline.show(this.#series, this.#state.window);
    this.#summary.show(graph, edges, this.#scene?.left ?? 0);
  }

  #placed(graph: Graph): { readonly placement: Placement; readonly changed: boolean } {
    const before = this.#placement;
    const missing = graph.nodes.some(({ id, namespace }) => before.get(namespace)?.cells.has(id) !== true);
    return missing
      ? { placement: place(before, graph.nodes, graph.edges), changed: true }
      : { placement: before, changed: false };
  }

  #drawScene(): void {
    const graph = this.#graph;
    if (graph === undefined) return;
    this.#isDetailed = isDetailed(this.#view.scale);
    this.#scene = sceneOf({
      graph,
      placement: this.#placement,
      state: this.#state,
      access: this.#access,
      stages: this.#rollouts.stages,
      scale: this.#view.scale,
    });
    const found = this.#state.search === '' ? undefined : new Set(matching(graph.nodes, this.#state.search).map(({ id }) => id));
    this.#view.show(
      this.#scene,
      this.#state.selection,
      found === undefined ? undefined : (id) => !found.has(id) && !id.startsWith('namespace:'),
    );
  }
}

/** A workload of a namespace that is not this reader's: what is seen of it in calls is all there is. */
function orNothing(error: unknown): undefined {
  if (error instanceof Refused && error.status === 404) return undefined;
  throw error;
}
