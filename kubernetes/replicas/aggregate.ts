import type { Progress } from '../status/conditions.ts';
import type { OtherReplica } from './replicas.ts';

/** How far objects have come among the proxies of one replica, or of all: those that all have are left out. */
export interface Pending {
  readonly proxies: number;
  /** By place. */
  readonly objects: ReadonlyMap<string, Progress>;
}

/**
 * How far objects have come among the proxies of all replicas. Undefined while it is not known: a replica that runs has said nothing yet, or
 * has configuration that this one does not know.
 * @param changedSince places of what changed since a replica's configuration; undefined for one that is not known here
 */
export function pendingOfAll(
  own: Pending,
  others: readonly OtherReplica[],
  revision: string,
  changedSince: (configuration: string) => ReadonlySet<string> | undefined,
): Pending | undefined {
  const parts: Pending[] = [own];
  for (const { present, report, revision: its } of others) {
    if (!present) continue;
    if (report === undefined || report.more) return undefined;
    const { proxies } = report;
    const objects = new Map<string, Progress>();
    for (const { place, applied, lagging, rejectedBy } of report.objects)
      objects.set(place, { applied, of: proxies, lagging, rejectedBy });
    // Another revision may watch other things: what it says is all there is.
    const changed = changedSince(report.configuration) ?? (its === revision ? undefined : new Set<string>());
    if (changed === undefined) return undefined;
    // What it says of these is about how they were.
    if (proxies > 0)
      for (const place of changed)
        objects.set(place, { applied: 0, of: proxies, lagging: [`${proxies} proxies`], rejectedBy: [] });
    parts.push({ proxies, objects });
  }
  const proxies = parts.reduce((sum, part) => sum + part.proxies, 0);
  const objects = new Map<string, Progress>();
  for (const place of new Set(parts.flatMap((part) => [...part.objects.keys()]))) {
    const all = parts.map((part) => part.objects.get(place) ?? whole(part.proxies));
    objects.set(place, {
      applied: all.reduce((sum, { applied }) => sum + applied, 0),
      of: proxies,
      lagging: all.flatMap(({ lagging }) => lagging),
      rejectedBy: all.flatMap(({ rejectedBy }) => rejectedBy),
    });
  }
  return { proxies, objects };
}

function whole(proxies: number): Progress {
  return { applied: proxies, of: proxies, lagging: [], rejectedBy: [] };
}
