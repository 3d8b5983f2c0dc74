import type { Seen } from './evidence.ts';
import { together } from './evidence.ts';

/** Any method, but of HTTP: a rule that says nothing of methods and paths lets in whatever comes to the port. */
export const ANY_METHOD = '*';

/** What was done; undefined: not restricted. */
export interface Operation {
  readonly port: number | undefined;
  readonly method: string | undefined;
  readonly path: string | undefined;
}

/** What one caller did, by the text of the operation. */
export type Did = ReadonlyMap<string, { readonly operation: Operation; readonly seen: Seen }>;

export function textOf({ port, method, path }: Operation): string {
  return JSON.stringify([port ?? null, method ?? null, path ?? null]);
}

export function addTo(did: Map<string, { operation: Operation; seen: Seen }>, operation: Operation, seen: Seen): void {
  const key = textOf(operation);
  did.set(key, { operation, seen: together(did.get(key)?.seen, seen) });
}

/** The operations that take another one in, itself left out. */
function wider({ port, method, path }: Operation): readonly Operation[] {
  const found: Operation[] = [];
  for (const p of new Set([port, undefined]))
    for (const m of new Set([method, ...(method === undefined ? [] : [ANY_METHOD]), undefined]))
      for (const t of new Set([path, undefined]))
        if (p !== port || m !== method || t !== path) found.push({ port: p, method: m, path: t });
  return found;
}

/** Without operations that a wider one takes in; what was seen of them counts for that. */
export function widest(did: Did): Did {
  const kept = new Map<string, { operation: Operation; seen: Seen }>();
  for (const { operation, seen } of did.values()) {
    const by = wider(operation).filter((one) => did.has(textOf(one)));
    // The widest of all: no other of them takes it in.
    const top = by.find((one) => !wider(one).some((other) => did.has(textOf(other)))) ?? operation;
    addTo(kept, top, seen);
  }
  return kept;
}

/** Operations as one rule has them: each of the ports with each of the methods and each of the paths. Empty: not restricted. */
export interface Product {
  readonly ports: readonly number[];
  readonly methods: readonly string[];
  readonly paths: readonly string[];
  readonly operations: readonly Operation[];
}

function list<T extends string | number>(values: Iterable<T | undefined>): readonly T[] {
  const given = [...values].flatMap((value) => (value === undefined ? [] : [value]));
  return [...new Set(given)].sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
}

function grouped(operations: readonly Operation[], key: (one: Operation) => string): readonly (readonly Operation[])[] {
  const groups = new Map<string, Operation[]>();
  for (const one of operations) {
    const at = key(one);
    const group = groups.get(at);
    if (group === undefined) groups.set(at, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

/** Few products that together are exactly these operations: methods of a path together, then paths with the same methods, then ports with the same of both. */
export function productsOf(operations: readonly Operation[]): readonly Product[] {
  const methodsAt = new Map<string, string>();
  const place = ({ port, path }: Operation): string => JSON.stringify([port ?? null, path ?? null]);
  for (const group of grouped(operations, place)) {
    const [first] = group;
    if (first !== undefined)
      methodsAt.set(
        place(first),
        group
          .map(({ method }) => method ?? '')
          .sort()
          .join(' '),
      );
  }
  const methods = (one: Operation): string => methodsAt.get(place(one)) ?? '';
  // A port that is not restricted, or a path, stands alone: in a list it would say nothing.
  const onPort = grouped(operations, (one) => JSON.stringify([one.port ?? null, one.path === undefined, methods(one)]));
  const contents = new Map<readonly Operation[], string>(
    onPort.map((group) => [group, list(group.map(({ path }) => path)).join('\n')]),
  );
  const merged = new Map<string, Operation[]>();
  for (const group of onPort) {
    const [first] = group;
    if (first === undefined) continue;
    const key = JSON.stringify([first.port === undefined, methods(first), contents.get(group)]);
    merged.set(key, [...(merged.get(key) ?? []), ...group]);
  }
  return [...merged.values()].map((group) => ({
    ports: list(group.map(({ port }) => port)),
    methods: list(group.map(({ method }) => method)),
    paths: list(group.map(({ path }) => path)),
    operations: group,
  }));
}
