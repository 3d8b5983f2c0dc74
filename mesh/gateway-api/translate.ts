import { isDeepStrictEqual } from 'node:util';
import type { DestinationRule } from '../model/destination-rule.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Meta } from '../model/object.ts';
import type { VirtualService } from '../model/virtual-service.ts';
import type { AskedServices } from './asked-services.ts';
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

interface Last {
  readonly among: Omit<Surroundings, 'objects' | 'services'>;
  /** Those that it asked for; all others may be what they like. */
  readonly services: AskedServices;
  readonly made: Translated;
}

/** The last translation of a list of objects. */
const LAST = new WeakMap<readonly unknown[], Last>();

/** The objects of gateway.networking.k8s.io as the Gateways, VirtualServices and DestinationRules that routing compiles. */
export function translated(surroundings: Surroundings, previous: Translated = NONE): Translated {
  const { objects, services, namespaces, configMaps, clusterDomain } = surroundings;
  if (objects.length === 0) return NONE;
  const last = LAST.get(objects);
  if (
    last?.among.namespaces === namespaces &&
    last.among.configMaps === configMaps &&
    last.among.clusterDomain === clusterDomain &&
    last.services.areAlikeIn(services)
  )
    return last.made;
  const world = new World(surroundings);
  const { gateways, virtualServices } = atGateways(world);
  const made = {
    gateways: kept(gateways, previous.gateways),
    virtualServices: kept([...inMesh(world), ...virtualServices], previous.virtualServices),
    destinationRules: kept(backendTlsRules(world), previous.destinationRules),
  };
  LAST.set(objects, { among: { namespaces, configMaps, clusterDomain }, services: world.services, made });
  return made;
}
