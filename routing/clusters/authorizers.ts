import { authorizerOf, authorizingProviders } from '../../mesh/model/extension-provider.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { View } from '../view.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';

/**
 * Services of authorizers that a namespace does not see by itself: any proxy may have to ask them, wherever they are exported to. A service
 * of the same host that it does see is called instead: hosts name clusters.
 */
export function unseenAuthorizers(snapshot: Snapshot, view: View): readonly Service[] {
  const found = new Set<Service>();
  for (const provider of authorizingProviders(snapshot.meshConfig)) {
    const authorizer = authorizerOf(snapshot, provider);
    if (typeof authorizer === 'string' || view.serviceByHost.has(authorizer.service.hostname)) continue;
    found.add(authorizer.service);
  }
  return [...found];
}
