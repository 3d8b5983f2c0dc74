import { keyOf } from '../mesh/model/object.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { HttpRoute, VirtualService } from '../mesh/model/virtual-service.ts';
import { visibleFrom } from './visibility.ts';
import { narrowedRoute } from './routes/narrow.ts';

/** The routes of `delegate` as `route` lets them through: what it says holds where they say nothing, and its matches must hold too. */
function delegated(route: HttpRoute, delegate: VirtualService): readonly HttpRoute[] {
  return delegate.http.flatMap((one) => narrowedRoute(route, one) ?? []);
}

function resolved(virtual: VirtualService, known: ReadonlyMap<string, VirtualService>): VirtualService {
  if (!virtual.http.some(({ action }) => action.kind === 'delegate')) return virtual;
  const http = virtual.http.flatMap((route) => {
    const { action } = route;
    if (action.kind !== 'delegate') return [route];
    const delegate = known.get(keyOf(action));
    const seen = delegate?.hosts.length === 0 && visibleFrom(delegate.exportTo, delegate.meta.namespace, virtual.meta.namespace);
    // A delegate that is not there leaves its requests to the routes that follow, as in Istio; admission has warned.
    return seen ? delegated(route, delegate) : [];
  });
  return Object.freeze({ ...virtual, http: Object.freeze(http) });
}

const made = new WeakMap<readonly VirtualService[], readonly VirtualService[]>();

/** All VirtualServices with the routes of their delegates in them, in snapshot order. */
export function virtualServices({ virtualServices: written }: Snapshot): readonly VirtualService[] {
  const before = made.get(written);
  if (before !== undefined) return before;
  const known = new Map(written.map((virtual) => [keyOf(virtual.meta), virtual]));
  const found = written.map((virtual) => resolved(virtual, known));
  made.set(written, found);
  return found;
}
