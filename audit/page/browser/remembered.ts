import type { Area, Cell, Placement } from './placement.ts';

/** Where this browser keeps places and choices; without storage nothing is kept. */
const PLACES = 'gatehouse.places.1';
const MOST_NODES = 20_000;

function isCell(value: unknown): value is readonly [number, number] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((one) => typeof one === 'number' && Number.isFinite(one) && Math.abs(one) < 1e5)
  );
}

function areaIn(value: unknown): Area | undefined {
  if (typeof value !== 'object' || value === null || !('x' in value) || !('y' in value) || !('cells' in value)) return undefined;
  const { x, y, cells } = value;
  if (typeof x !== 'number' || typeof y !== 'number' || typeof cells !== 'object' || cells === null) return undefined;
  const found = new Map<string, Cell>();
  for (const [id, cell] of Object.entries(cells)) {
    const one: unknown = cell;
    if (isCell(one)) found.set(id, { column: one[0], row: one[1] });
  }
  return { x, y, cells: found };
}

export function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

export function keep(key: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Storage is full or forbidden: the page works without.
  }
}

export function readPlaces(): Placement {
  let content: unknown;
  try {
    content = JSON.parse(read(PLACES) ?? '{}');
  } catch {
    return new Map();
  }
  if (typeof content !== 'object' || content === null) return new Map();
  const places = new Map<string, Area>();
  for (const [name, value] of Object.entries(content)) {
    const area = areaIn(value);
    if (area !== undefined) places.set(name, area);
  }
  return places;
}

export function keepPlaces(places: Placement): void {
  const nodes = [...places.values()].reduce((sum, { cells }) => sum + cells.size, 0);
  if (nodes > MOST_NODES) return;
  const content = [...places].map(([name, { x, y, cells }]) => [
    name,
    {
      x: Math.round(x),
      y: Math.round(y),
      cells: Object.fromEntries([...cells].map(([id, { column, row }]) => [id, [column, row]])),
    },
  ]);
  keep(PLACES, JSON.stringify(Object.fromEntries(content)));
}

export function forgetPlaces(): void {
  keep(PLACES, undefined);
}
