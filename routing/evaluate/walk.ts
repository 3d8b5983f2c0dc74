import { keyOf } from '../../mesh/model/object.ts';
import type { HttpMatch, HttpRoute, VirtualService } from '../../mesh/model/virtual-service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Skipped, Taken } from './answer.ts';
import { failing, type Site, takesAll } from './condition.ts';
import { named } from './named.ts';
import type { RouteRequest } from './question.ts';

/** One match of one route, at its place among all that are tried. */
export interface Candidate {
  readonly site: Site;
  readonly virtual: VirtualService;
  readonly route: HttpRoute;
  readonly match: HttpMatch | undefined;
  readonly matchIndex: number | undefined;
}

export interface Walked {
  readonly candidate: Candidate | undefined;
  readonly skipped: readonly Skipped[];
}

/** Where a route is written: a delegate's stands in the place of the root's route that names it. */
function placeOf(snapshot: Snapshot, { virtual, route }: Candidate): Omit<Taken, 'match' | 'routeName'> {
  const written = snapshot.virtualServices.find(({ meta }) => keyOf(meta) === keyOf(virtual.meta)) ?? virtual;
  const own = written.http.findIndex(({ action }) => action === route.action);
  const virtualService = named('VirtualService', virtual.meta);
  if (own >= 0) return { virtualService, route: own, delegate: undefined };
  for (const [index, { action }] of written.http.entries()) {
    if (action.kind !== 'delegate') continue;
    const delegate = snapshot.virtualServices.find(({ meta }) => keyOf(meta) === keyOf(action));
    const at = delegate?.http.findIndex((one) => one.action === route.action) ?? -1;
    if (delegate !== undefined && at >= 0)
      return { virtualService, route: index, delegate: { virtualService: named('VirtualService', delegate.meta), route: at } };
  }
  return { virtualService, route: virtual.http.indexOf(route), delegate: undefined };
}

export function taken(snapshot: Snapshot, candidate: Candidate): Taken {
  return { ...placeOf(snapshot, candidate), routeName: candidate.route.name, match: candidate.matchIndex };
}

function skip(snapshot: Snapshot, candidate: Candidate, why: string): Skipped {
  const { virtualService, route, delegate } = placeOf(snapshot, candidate);
  return {
    virtualService: delegate?.virtualService ?? virtualService,
    route: delegate?.route ?? route,
    routeName: candidate.route.name,
    match: candidate.matchIndex,
    why,
  };
}

/** What a VirtualService has tried at a site, in the order written. */
export function candidatesOf(site: Site, virtual: VirtualService): readonly Candidate[] {
  return virtual.http.flatMap((route): readonly Candidate[] =>
    route.match.length === 0
      ? [{ site, virtual, route, match: undefined, matchIndex: undefined }]
      : route.match.map((match, matchIndex) => ({ site, virtual, route, match, matchIndex })),
  );
}

/** True for a candidate that takes every request of its site. */
export function isLast({ match, site }: Candidate, request: RouteRequest): boolean {
  return match === undefined || (takesAll(match) && failing(match, site, request) === undefined);
}

/** The first candidate of which all conditions hold, and why those before it do not. */
export function walk(snapshot: Snapshot, candidates: readonly Candidate[], request: RouteRequest): Walked {
  const skipped: Skipped[] = [];
  for (const candidate of candidates) {
    const why = candidate.match === undefined ? undefined : failing(candidate.match, candidate.site, request);
    if (why === undefined) return { candidate, skipped };
    skipped.push(skip(snapshot, candidate, why));
  }
  return { candidate: undefined, skipped };
}
