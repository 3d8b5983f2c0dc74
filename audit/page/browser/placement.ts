/** Where namespaces and workloads stand. What has a place keeps it, whatever comes and goes. */
export interface Cell {
  readonly column: number;
  readonly row: number;
}

export interface Area {
  readonly x: number;
  readonly y: number;
  readonly cells: ReadonlyMap<string, Cell>;
}

export type Placement = ReadonlyMap<string, Area>;

export interface PlacedNode {
  readonly id: string;
  readonly namespace: string;
}

export interface PlacedEdge {
  readonly source: string;
  readonly target: string;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const NODE = Object.freeze({ width: 172, height: 46 });
const STEP = Object.freeze({ x: NODE.width + 84, y: NODE.height + 24 });
const PAD = 22;
const HEADER = 34;
const GAP = Object.freeze({ x: 110, y: 44 });

/** Wider where there are many: they are looked at from far away, and the lines are seen between them. */
function gapFor(workloads: number): { readonly x: number; readonly y: number } {
  const times = Math.min(4, Math.max(1, Math.sqrt(workloads / 80)));
  return { x: GAP.x * times, y: GAP.y * times };
}

const MOST_ROWS = 8;

export function boxOfCells(x: number, y: number, cells: Iterable<Cell>): Box {
  let [columns, rows] = [0, 0];
  for (const { column, row } of cells) {
    columns = Math.max(columns, column);
    rows = Math.max(rows, row);
  }
  return { x, y, width: 2 * PAD + columns * STEP.x + NODE.width, height: HEADER + PAD + rows * STEP.y + NODE.height + PAD / 2 };
}

export function nodeBox(area: Pick<Area, 'x' | 'y'>, { column, row }: Cell): Box {
  return { x: area.x + PAD + column * STEP.x, y: area.y + HEADER + PAD / 2 + row * STEP.y, ...NODE };
}

function overlap(a: Box, b: Box, by: { readonly x: number; readonly y: number }): boolean {
  return a.x < b.x + b.width + by.x && b.x < a.x + a.width + by.x && a.y < b.y + b.height + by.y && b.y < a.y + a.height + by.y;
}

/** How far from what nobody calls; edges that close a circle do not count. */
function ranks(ids: readonly string[], edges: readonly PlacedEdge[]): ReadonlyMap<string, number> {
  const out = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { source, target } of edges) if (source !== target && out.has(target)) out.get(source)?.push(target);
  const state = new Map<string, 'open' | 'done'>();
  const order: string[] = [];
  const forward = new Map<string, string[]>(ids.map((id) => [id, []]));
  const called = new Set(edges.filter(({ source, target }) => source !== target).map(({ target }) => target));
  const starts = [...ids.filter((id) => !called.has(id)), ...ids.filter((id) => called.has(id))];
  for (const start of starts) {
    const stack: { readonly id: string; at: number }[] = [];
    const enter = (id: string): void => {
      state.set(id, 'open');
      stack.push({ id, at: 0 });
    };
    if (!state.has(start)) enter(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = out.get(top.id)?.[top.at++];
      if (next === undefined) {
        state.set(top.id, 'done');
        order.push(top.id);
        stack.pop();
      } else if (state.get(next) !== 'open') {
        forward.get(top.id)?.push(next);
        if (!state.has(next)) enter(next);
      }
    }
  }
  const rank = new Map<string, number>(ids.map((id) => [id, 0]));
  for (const id of order.reverse())
    for (const next of forward.get(id) ?? []) rank.set(next, Math.max(rank.get(next) ?? 0, (rank.get(id) ?? 0) + 1));
  return rank;
}

function neighbours(edges: readonly PlacedEdge[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const join = (one: string, other: string): void => {
    const known = found.get(one);
    if (known === undefined) found.set(one, [other]);
    else known.push(other);
  };
  for (const { source, target } of edges) {
    join(source, target);
    join(target, source);
  }
  return found;
}

/** More columns than this are no longer looked at as a whole. */
function tooLong(count: number): number {
  return 4 + Math.ceil(Math.sqrt(count));
}

/** A namespace that nothing is known of yet: columns by who calls whom, rows so that lines cross little. */
export function arrange(ids: readonly string[], edges: readonly PlacedEdge[]): ReadonlyMap<string, Cell> {
  const inside = new Set(ids);
  const own = edges.filter(({ source, target }) => inside.has(source) && inside.has(target));
  const rank = ranks(ids, own);
  const near = neighbours(own);
  const rows = Math.max(MOST_ROWS, Math.ceil(Math.sqrt(ids.length * 2.4)));
  const columns: string[][] = [];
  const linked = ids.filter((id) => near.has(id));
  const alone = ids.filter((id) => !near.has(id));
  const levels = Math.max(0, ...rank.values()) + 1;
  const byRank = linked.toSorted((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
  // Long chains, as circles of calls make them, would be a strip: there columns only follow the order.
  const groups = levels > tooLong(ids.length) ? [byRank] : [...Map.groupBy(byRank, (id) => rank.get(id)).values()];
  for (const here of groups) for (let at = 0; at < here.length; at += rows) columns.push(here.slice(at, at + rows));
  for (let at = 0; at < alone.length; at += rows) {
    const some = alone.slice(at, at + rows);
    const first = columns[0];
    if (at === 0 && first !== undefined && first.length + some.length <= rows) first.push(...some);
    else columns.push(some);
  }
  const position = new Map<string, number>();
  const note = (column: readonly string[]): void => column.forEach((id, at) => position.set(id, at - (column.length - 1) / 2));
  columns.forEach(note);
  const wanted = (id: string): number => {
    const around = near.get(id) ?? [];
    return around.length === 0
      ? (position.get(id) ?? 0)
      : around.reduce((sum, one) => sum + (position.get(one) ?? 0), 0) / around.length;
  };
  for (let pass = 0; pass < 4; pass++)
    for (const column of pass % 2 === 0 ? columns : columns.toReversed()) {
      const by = new Map(column.map((id) => [id, wanted(id)]));
      column.sort((a, b) => (by.get(a) ?? 0) - (by.get(b) ?? 0));
      note(column);
    }
  const tallest = Math.max(1, ...columns.map(({ length }) => length));
  return new Map(
    columns.flatMap((ids, column) => ids.map((id, at) => [id, { column, row: at + (tallest - ids.length) / 2 }] as const)),
  );
}

/** Where the first namespaces stand: left to right by who calls whom. */
function arrangeAreas(
  sizes: ReadonlyMap<string, Box>,
  edges: readonly PlacedEdge[],
  gap: { readonly x: number; readonly y: number },
): ReadonlyMap<string, { readonly x: number; readonly y: number }> {
  const names = [...sizes.keys()];
  const rank = ranks(names, edges);
  const area = [...sizes.values()].reduce((sum, { width, height }) => sum + (width + gap.x) * (height + gap.y), 0);
  const tallest = Math.max(...[...sizes.values()].map(({ height }) => height), Math.sqrt(area / 1.7));
  const columns: string[][] = [];
  const levels = Math.max(0, ...rank.values()) + 1;
  const byRank = names.toSorted((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
  const groups = levels > tooLong(names.length) ? [byRank] : [...Map.groupBy(byRank, (name) => rank.get(name)).values()];
  for (const group of groups) {
    let height = Infinity;
    for (const name of group) {
      const own = (sizes.get(name)?.height ?? 0) + gap.y;
      if (height + own > tallest + gap.y) {
        columns.push([]);
        height = 0;
      }
      columns.at(-1)?.push(name);
      height += own;
    }
  }
  const found = new Map<string, { readonly x: number; readonly y: number }>();
  let x = 0;
  for (const column of columns) {
    const boxes = column.flatMap((name) => sizes.get(name) ?? []);
    const height = boxes.reduce((sum, box) => sum + box.height + gap.y, -gap.y);
    let y = -height / 2;
    for (const [at, name] of column.entries()) {
      found.set(name, { x, y });
      y += (boxes[at]?.height ?? 0) + gap.y;
    }
    x += Math.max(...boxes.map(({ width }) => width)) + gap.x;
  }
  return found;
}

/** A free spot for a box beside those that stand, near a point. */
function freeSpot(
  size: Box,
  taken: readonly Box[],
  near: { readonly x: number; readonly y: number },
): { readonly x: number; readonly y: number } {
  const spots = taken.flatMap((box) => [
    { x: box.x, y: box.y + box.height + GAP.y },
    { x: box.x + box.width + GAP.x, y: box.y },
    { x: box.x, y: box.y - size.height - GAP.y },
    { x: box.x - size.width - GAP.x, y: box.y },
  ]);
  const free = spots.filter((spot) => !taken.some((box) => overlap({ ...size, ...spot }, box, { x: GAP.x - 1, y: GAP.y - 1 })));
  const far = (spot: { readonly x: number; readonly y: number }): number =>
    Math.hypot(spot.x + size.width / 2 - near.x, (spot.y + size.height / 2 - near.y) * 1.5);
  return free.reduce((best, spot) => (far(spot) < far(best) ? spot : best), free[0] ?? { x: 0, y: 0 });
}

function isFree(cells: ReadonlyMap<string, Cell>, { column, row }: Cell): boolean {
  for (const cell of cells.values()) if (cell.column === column && Math.abs(cell.row - row) < 0.99) return false;
  return row >= 0 && column >= 0;
}

/** A cell for a newcomer: right of who calls it or left of whom it calls, in a row near them; inside of what the area has already if it can be. */
function freeCell(
  id: string,
  cells: ReadonlyMap<string, Cell>,
  edges: readonly PlacedEdge[],
  fits: (cell: Cell) => boolean,
): Cell {
  const callers = edges.flatMap(({ source, target }) => (target === id ? (cells.get(source) ?? []) : []));
  const callees = edges.flatMap(({ source, target }) => (source === id ? (cells.get(target) ?? []) : []));
  const around = [...callers, ...callees];
  const column =
    callers.length > 0
      ? Math.max(...callers.map((cell) => cell.column)) + 1
      : Math.max(0, Math.min(...(callees.length > 0 ? callees.map((cell) => cell.column - 1) : [0])));
  const row = around.length === 0 ? 0 : around.reduce((sum, cell) => sum + cell.row, 0) / around.length;
  const most = Math.max(1, ...[...cells.values()].map((cell) => cell.row)) + 1;
  const widest = Math.max(0, ...[...cells.values()].map((cell) => cell.column)) + 1;
  const candidates: Cell[] = [];
  for (let at = 0; at <= widest; at++) for (let down = 0; down <= most; down += 0.5) candidates.push({ column: at, row: down });
  const cost = (cell: Cell): number => Math.abs(cell.column - column) * 3 + Math.abs(cell.row - row) + (fits(cell) ? 0 : 1000);
  return candidates
    .filter((cell) => isFree(cells, cell))
    .reduce((best, cell) => (cost(cell) < cost(best) ? cell : best), { column, row: most + 1 });
}

function centreOf({ x, y, width, height }: Box): { readonly x: number; readonly y: number } {
  return { x: x + width / 2, y: y + height / 2 };
}

/** Places what has no place yet. An area moves only, as a whole, if it has outgrown the room around it. */
export function place(before: Placement, nodes: readonly PlacedNode[], edges: readonly PlacedEdge[]): Placement {
  const members = Map.groupBy(nodes, ({ namespace }) => namespace);
  const namespaceOf = new Map(nodes.map(({ id, namespace }) => [id, namespace]));
  const between = edges.flatMap(({ source, target }) => {
    const [from, to] = [namespaceOf.get(source), namespaceOf.get(target)];
    return from === undefined || to === undefined || from === to ? [] : [{ source: from, target: to }];
  });
  const after = new Map<string, Area>(before);
  const fresh = new Map<string, ReadonlyMap<string, Cell>>();
  const edgesOf = Map.groupBy(
    edges.filter(({ source, target }) => namespaceOf.get(source) === namespaceOf.get(target)),
    ({ source }) => namespaceOf.get(source) ?? '',
  );
  for (const [name, list] of members)
    if (!before.has(name)) {
      const ids = list.map(({ id }) => id).sort();
      fresh.set(name, arrange(ids, edgesOf.get(name) ?? []));
    }
  const sizes = new Map(
    [...fresh].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, cells]) => [name, boxOfCells(0, 0, cells.values())]),
  );
  const spots = before.size === 0 && sizes.size > 0 ? arrangeAreas(sizes, between, gapFor(nodes.length)) : undefined;
  const boxes = (but: string): readonly Box[] =>
    [...after].flatMap(([name, area]) => (name === but ? [] : boxOfCells(area.x, area.y, area.cells.values())));
  for (const [name, cells] of fresh) {
    const size = sizes.get(name) ?? boxOfCells(0, 0, []);
    const near = between
      .flatMap(({ source, target }) => (source === name ? [target] : target === name ? [source] : []))
      .flatMap((one) => after.get(one) ?? [])
      .map((area) => centreOf(boxOfCells(area.x, area.y, area.cells.values())));
    const spot = spots?.get(name) ?? freeSpot(size, boxes(name), near[0] ?? { x: 0, y: 0 });
    after.set(name, { ...spot, cells });
  }
  for (const [name, list] of members) {
    const area = after.get(name);
    const newcomers = list.filter(({ id }) => area?.cells.has(id) === false);
    if (area === undefined || newcomers.length === 0) continue;
    const others = boxes(name);
    const cells = new Map(area.cells);
    const collides = (): boolean =>
      others.some((box) => overlap(boxOfCells(area.x, area.y, cells.values()), box, { x: 20, y: 16 }));
    for (const { id } of newcomers.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
      const now = boxOfCells(area.x, area.y, cells.values());
      const fits = (cell: Cell): boolean => {
        const box = nodeBox(area, cell);
        if (box.x + box.width <= now.x + now.width && box.y + box.height <= now.y + now.height) return true;
        const grown = boxOfCells(area.x, area.y, [...cells.values(), cell]);
        return !others.some((other) => overlap(grown, other, { x: 20, y: 16 }));
      };
      cells.set(id, freeCell(id, cells, edgesOf.get(name) ?? [], fits));
    }
    const size = boxOfCells(area.x, area.y, cells.values());
    after.set(name, collides() ? { ...freeSpot(size, others, centreOf(size)), cells } : { ...area, cells });
  }
  return after;
}
