import { authorizerOf, authorizingProviders } from '../../mesh/model/extension-provider.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { View } from '../view.ts';
import { collectors } from '../tracing/collector.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';

const known = new WeakMap<Snapshot, readonly Service[]>();

function authorizers(snapshot: Snapshot): readonly Service[] {
  const before = known.get(snapshot);
  if (before !== undefined) return before;
  const found = authorizingProviders(snapshot.meshConfig).map((provider) => authorizerOf(snapshot, provider));
  const made = [...new Set([...found.flatMap((one) => (typeof one === 'string' ? [] : [one.service])), ...collectors(snapshot)])];
  known.set(snapshot, made);
  return made;
}

/** Services that filters and loggers call by themselves, wherever traffic goes. */
export function calledByItself(snapshot: Snapshot): readonly Service[] {
  return authorizers(snapshot);
}

/**
 * Services of authorizers, and of collectors of spans, that a namespace does not see by itself: any proxy may have to call them, wherever they are exported to. A service
 * of the same host that it does see is called instead: hosts name clusters.
 */
export function unseenAuthorizers(snapshot: Snapshot, view: View): readonly Service[] {
  return authorizers(snapshot).filter(({ hostname }) => !view.serviceByHost.has(hostname));
}
