import { indexedBy } from '../mesh/model/indexed-by.ts';
import { keyOf } from '../mesh/model/object.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { HttpRoute, VirtualService } from '../mesh/model/virtual-service.ts';
import { kept } from './kept.ts';
import { visibleFrom } from './visibility.ts';
import { narrowedRoute } from './routes/narrow.ts';

/** The routes of `delegate` as `route` lets them through: what it says holds where they say nothing, and its matches must hold too. */
function delegated(route: HttpRoute, delegate: VirtualService): readonly HttpRoute[] {
  return delegate.http.flatMap((one) => narrowedRoute(route, one) ?? []);
}

const byKey = indexedBy<VirtualService>(({ meta }) => [keyOf(meta)]);

/** The same object as long as it and its delegates are the same. */
const whole = kept<VirtualService, VirtualService>(2);

function resolved(virtual: VirtualService, written: readonly VirtualService[]): VirtualService {
  const delegates = virtual.http.flatMap(({ action }) =>
    action.kind === 'delegate' ? [byKey(written, keyOf(action)).at(-1)] : [],
  );
  return delegates.length === 0 ? virtual : whole.get(virtual, delegates, () => withDelegates(virtual, delegates));
}

function withDelegates(virtual: VirtualService, delegates: readonly (VirtualService | undefined)[]): VirtualService {
  const inOrder = delegates.values();
  const http = virtual.http.flatMap((route) => {
    const { action } = route;
    if (action.kind !== 'delegate') return [route];
    const delegate = inOrder.next().value;
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
  const found = written.map((virtual) => resolved(virtual, written));
  made.set(written, found);
  return found;
}
