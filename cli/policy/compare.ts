import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type Change, type Comparison, comparison, differences } from '../../policy/access/diff.ts';
import { accessText } from '../../policy/access/same.ts';
import type { Destination, Side } from '../../policy/access/world.ts';
import { destinationsIn, identitiesIn } from './destinations.ts';

/** The same for all these destinations; the example is for the first. */
export interface GroupedChange extends Change {
  readonly destinations: readonly string[];
}

interface Group {
  readonly sides: readonly [Side, Side];
  readonly names: string[];
}

export interface MeshComparison {
  readonly changes: readonly GroupedChange[];
  readonly untold: Comparison['untold'];
  /** Destinations of which some kinds of requests may have been overlooked. */
  readonly incomplete: readonly string[];
  /** What is not a change of access and yet has to do with it: workloads that came, went, or run as somebody else. */
  readonly notes: readonly string[];
}

function notesOn(before: Snapshot, after: Snapshot): readonly string[] {
  const was = new Map(before.workloads.map((one) => [keyOf(one), one]));
  const is = new Map(after.workloads.map((one) => [keyOf(one), one]));
  return [
    ...[...is.keys()].filter((name) => !was.has(name)).map((name) => `${name} is new, and there is nothing to compare it with`),
    ...[...was.keys()].filter((name) => !is.has(name)).map((name) => `${name} is no longer there`),
    ...[...is.values()].flatMap((one) => {
      const account = was.get(keyOf(one))?.serviceAccount ?? one.serviceAccount;
      return account === one.serviceAccount
        ? []
        : [`${keyOf(one)} runs as ${one.serviceAccount} now, and ran as ${account}: what it may call changes with that`];
    }),
    ...(before.meshConfig.pathNormalization === after.meshConfig.pathNormalization
      ? []
      : [
          'pathNormalization differs: paths are compared as they are once normalized, so that one sent otherwise may be decided otherwise',
        ]),
  ];
}

/** Access before and after, for everything that calls can go to on both sides. */
export function compareMeshes(before: Snapshot, after: Snapshot): MeshComparison {
  const known = [...new Set([...identitiesIn(before), ...identitiesIn(after)])].sort();
  const [was, is] = [destinationsIn(before), destinationsIn(after)].map(
    (all): ReadonlyMap<string, Destination> => new Map(all.map((one) => [one.name, one])),
  );
  // Workloads known by their labels only are whatever policies of one side say; the other side is asked about them too.
  const made = (name: string, side: Snapshot): boolean =>
    name.endsWith(')') || !side.workloads.some((one) => keyOf(one) === name);
  // Many workloads have the same policies: what differs is found once for all of them.
  const groups = new Map<string, Group>();
  for (const name of [...new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])].sort()) {
    const [old, young] = [was?.get(name), is?.get(name)];
    const one = old ?? (made(name, after) ? young : undefined);
    const other = young ?? (made(name, before) ? old : undefined);
    if (one === undefined || other === undefined) continue;
    const sides = [
      { snapshot: before, destination: one },
      { snapshot: after, destination: other },
    ] as const;
    const [said, says] = [accessText(sides[0]), accessText(sides[1])];
    if (said === says) continue;
    const alike = `${said}\n${says}`;
    const group = groups.get(alike);
    if (group === undefined) groups.set(alike, { sides, names: [name] });
    else group.names.push(name);
  }
  const changes: GroupedChange[] = [];
  const untold: Comparison['untold'][number][] = [];
  const incomplete: string[] = [];
  for (const { sides, names } of groups.values()) {
    const found = comparison(differences(sides[0], sides[1], known), sides[0], sides[1]);
    for (const change of found.changes) changes.push({ ...change, destinations: names });
    for (const destination of names) for (const one of found.untold) untold.push({ ...one, destination });
    if (!found.complete) incomplete.push(...names);
  }
  return { changes, untold, incomplete, notes: notesOn(before, after) };
}
