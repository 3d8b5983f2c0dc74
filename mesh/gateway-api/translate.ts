import { isDeepStrictEqual } from 'node:util';
import type { DestinationRule } from '../model/destination-rule.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Meta } from '../model/object.ts';
import type { VirtualService } from '../model/virtual-service.ts';
import { atGateways } from './at-gateways.ts';
import { backendTlsRules } from './backend-tls.ts';
import { inMesh } from './in-mesh.ts';
import { type Surroundings, World } from './world.ts';

export interface Translated {
  readonly gateways: readonly Gateway[];
  readonly virtualServices: readonly VirtualService[];
  readonly destinationRules: readonly DestinationRule[];
}

const NONE: Translated = Object.freeze({ gateways: [], virtualServices: [], destinationRules: [] });

/** Objects that did not change keep their identity, on which what is derived from them is memoised. */
function kept<T extends { readonly meta: Meta }>(made: readonly T[], previous: readonly T[]): readonly T[] {
  const before = Map.groupBy(previous, ({ meta }) => `${meta.namespace}/${meta.name}`);
  return made.map(
    (one) =>
      before.get(`${one.meta.namespace}/${one.meta.name}`)?.find((old) => isDeepStrictEqual(old, one)) ?? Object.freeze(one),
  );
}

/** The objects of gateway.networking.k8s.io as the Gateways, VirtualServices and DestinationRules that routing compiles. */
export function translated(surroundings: Surroundings, previous: Translated = NONE): Translated {
  if (surroundings.objects.length === 0) return NONE;
  const world = new World(surroundings);
  const { gateways, virtualServices } = atGateways(world);
  return {
    gateways: kept(gateways, previous.gateways),
    virtualServices: kept([...inMesh(world), ...virtualServices], previous.virtualServices),
    destinationRules: kept(backendTlsRules(world), previous.destinationRules),
  };
}
