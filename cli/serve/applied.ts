import type { Meta } from '../../mesh/model/object.ts';
import type { ProxyReport } from './proxy-report.ts';

/** How far one object has come. */
export interface AppliedObject {
  readonly object: string;
  /** Where it is written; absent when it was deleted, and proxies have yet to let it go. */
  readonly file?: string;
  readonly line?: number;
  /** Proxies that have acknowledged it as it is now. */
  readonly applied: number;
  /** All proxies: of what does not concern it, a proxy acknowledges nothing but the snapshot. */
  readonly of: number;
  /** Proxies that have not, at most {@link MOST_NAMED}. */
  readonly lagging: readonly string[];
  /** Proxies that refused a resource which comes from it. */
  readonly rejectedBy: readonly string[];
}

const MOST_NAMED = 10;

/**
 * Which object has reached how many proxies. Objects that all have are left out, unless `all` is set.
 * @param changedSince names of what changed since a snapshot; undefined when not known any more: then all may have
 */
export function appliedObjects(
  proxies: readonly ProxyReport[],
  current: number,
  objects: ReadonlyMap<string, Meta>,
  changedSince: (snapshot: number) => ReadonlySet<string> | undefined,
  all: boolean,
): readonly AppliedObject[] {
  const known = proxies.filter((proxy) => proxy.known);
  const lagging = new Map<string, string[]>();
  for (const { pod, acknowledged } of known) {
    if (acknowledged >= current) continue;
    for (const name of changedSince(acknowledged) ?? objects.keys()) add(lagging, name, pod);
  }
  const rejectedBy = new Map<string, string[]>();
  for (const { pod, rejected } of known)
    for (const name of new Set(rejected.flatMap(({ causes }) => causes.map(({ object }) => object)))) add(rejectedBy, name, pod);
  const names = all ? new Set([...objects.keys(), ...lagging.keys()]) : new Set([...lagging.keys(), ...rejectedBy.keys()]);
  return [...names].sort().map((object) => {
    const origin = objects.get(object)?.origin;
    const [behind, refused] = [lagging.get(object) ?? [], rejectedBy.get(object) ?? []];
    return {
      object,
      ...(origin !== undefined && { file: origin.file, line: origin.line }),
      applied: known.length - new Set([...behind, ...refused]).size,
      of: known.length,
      lagging: behind.slice(0, MOST_NAMED),
      rejectedBy: refused.slice(0, MOST_NAMED),
    };
  });
}

function add(to: Map<string, string[]>, key: string, value: string): void {
  const list = to.get(key);
  if (list === undefined) to.set(key, [value]);
  else list.push(value);
}
