import type { Diagnostic } from '../../model/diagnostic.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Written } from '../written.ts';
import { claimRoutes } from './claim-routes.ts';
import { gatewayApiStatus } from './gateway-api-status.ts';
import { gatewayConflicts } from './gateway-conflicts.ts';
import { gatewayHosts } from './gateway-hosts.ts';
import { gatewayPorts } from './gateway-ports.ts';
import { gatewaySecrets } from './gateway-secrets.ts';
import { gatewaySelectors } from './gateway-selectors.ts';
import { Inventory } from './inventory.ts';
import { proxyUsers } from './pods.ts';
import { routeMatches } from './route-matches.ts';
import { serverAuthorities } from './server-authorities.ts';
import { serviceEntries } from './service-entries.ts';
import { servicePorts } from './service-ports.ts';
import { sidecars } from './sidecars.ts';
import { wildcardHosts } from './wildcard-hosts.ts';

const PASSES: readonly ((inventory: Inventory) => readonly Diagnostic[])[] = Object.freeze([
  routeMatches,
  wildcardHosts,
  gatewayHosts,
  gatewaySelectors,
  gatewayConflicts,
  gatewayPorts,
  gatewaySecrets,
  claimRoutes,
  serviceEntries,
  servicePorts,
  serverAuthorities,
  sidecars,
  proxyUsers,
  gatewayApiStatus,
]);

/**
 * Checks objects against each other beyond what they name, part by part: nothing of this keeps an object out, so it may be
 * asked for when there is time.
 * @param now certificates that expired before are told
 */
export function* checkTogether(written: readonly Written[], snapshot: Snapshot, now: Date): Generator<readonly Diagnostic[]> {
  const inventory = new Inventory(written, snapshot, now);
  for (const pass of PASSES) yield pass(inventory);
}
