import { type Did, addTo, textOf } from './operations.ts';
import type { Operation } from './operations.ts';
import type { Seen } from './evidence.ts';

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** The path with its last segment open. */
function opened(path: string): string {
  return `${parentOf(path)}/{*}`;
}

const PLAIN = /^[A-Za-z0-9\-._~!$&'()+,;:@=%/{}*]*$/;

/** What paths become so that there are at most `most`: siblings together, the most numerous first; any path where that does not help. */
function folded(paths: readonly string[], most: number): ReadonlyMap<string, string | undefined> {
  const to = new Map<string, string | undefined>(paths.map((path) => [path, path]));
  for (;;) {
    const now = [...new Set(to.values())].flatMap((path) => path ?? []);
    if (now.length <= most) return to;
    const siblings = new Map<string, string[]>();
    for (const path of now) {
      if (!PLAIN.test(path) || path.endsWith('/*') || path.endsWith('{**}')) continue;
      const at = opened(path);
      siblings.set(at, [...(siblings.get(at) ?? []), path]);
    }
    const [best] = [...siblings].toSorted(([a, one], [b, other]) => other.length - one.length || (a < b ? -1 : 1));
    const [target, members = []] = best ?? [];
    const fold = target === undefined || members.length < 2 ? undefined : new Set(members);
    for (const [path, at] of to) if (at !== undefined && (fold === undefined || fold.has(at))) to.set(path, fold && target);
    if (fold === undefined) return to;
  }
}

/** Puts paths together where one caller used more of them with one method on one port than anybody would read. */
export function folding(did: Did, most: number, tell: (generalised: string) => void): Did {
  const lists = new Map<string, Operation[]>();
  for (const { operation } of did.values()) {
    if (operation.path === undefined) continue;
    const key = textOf({ ...operation, path: undefined });
    const known = lists.get(key);
    if (known === undefined) lists.set(key, [operation]);
    else known.push(operation);
  }
  if ([...lists.values()].every(({ length }) => length <= most)) return did;
  const found = new Map<string, { operation: Operation; seen: Seen }>();
  const maps = new Map(
    [...lists].map(([key, list]) => [
      key,
      list.length <= most ? undefined : folded(list.flatMap(({ path }) => path ?? []).sort(), most),
    ]),
  );
  for (const { operation, seen } of did.values()) {
    const { path } = operation;
    const map = path === undefined ? undefined : maps.get(textOf({ ...operation, path: undefined }));
    if (map === undefined || path === undefined) {
      addTo(found, operation, seen);
      continue;
    }
    const at = map.get(path);
    if (at !== path)
      tell(
        at === undefined
          ? `any path, as more than ${most} were seen`
          : `${at}: {*} is any one segment; more than ${most} paths were seen`,
      );
    addTo(found, { ...operation, path: at }, seen);
  }
  return found;
}
