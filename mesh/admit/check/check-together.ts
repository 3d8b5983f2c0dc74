import type { Diagnostic } from '../../model/diagnostic.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { WrittenObjects } from '../written-objects.ts';
import { claimRoutes } from './claim-routes.ts';
import { gatewayApiStatus } from './gateway-api-status.ts';
import { gatewayConflicts } from './gateway-conflicts.ts';
import { gatewayHosts } from './gateway-hosts.ts';
import { gatewayPorts } from './gateway-ports.ts';
import { gatewaySecrets } from './gateway-secrets.ts';
import { gatewaySelectors } from './gateway-selectors.ts';
import { Inventory } from './inventory.ts';
import { proxyUsers } from './pods.ts';
import { rollouts } from './rollouts.ts';
import { routeMatches } from './route-matches.ts';
import { serverAuthorities } from './server-authorities.ts';
import { serviceEntries } from './service-entries.ts';
import { servicePorts } from './service-ports.ts';
import { sidecars } from './sidecars.ts';
import { wildcardHosts } from './wildcard-hosts.ts';

type Pass = (inventory: Inventory) => readonly Diagnostic[];

const PASSES: readonly Pass[] = Object.freeze([
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
  rollouts,
]);

interface Passed {
  readonly on: Parameters<Inventory['isSame']>[0];
  readonly found: readonly Diagnostic[];
}

/**
 * Checks objects against each other beyond what they name: nothing of this keeps an object out, so it may be asked for when there is time.
 * A check of which nothing changed that it looked at is not made again.
 */
export class TogetherChecks {
  readonly #passed = new Map<Pass, Passed>();

  /**
   * What is found, part by part, for who has other things to do in between.
   * @param now certificates that expired before are told
   */
  *parts(written: WrittenObjects, snapshot: Snapshot, now: Date): Generator<readonly Diagnostic[]> {
    const inventory = new Inventory(written, snapshot, now);
    for (const pass of PASSES) {
      const before = this.#passed.get(pass);
      const passed = before !== undefined && inventory.isSame(before.on) ? before : inventory.watch(pass);
      this.#passed.set(pass, passed);
      yield passed.found;
    }
  }
}
