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

const sameList = (one: readonly unknown[], other: readonly unknown[]) =>
  one === other || (one.length === other.length && one.every((value, at) => value === other[at]));

/** The last translation of a list of objects, and what it was made among. */
const LAST = new WeakMap<readonly unknown[], { readonly among: Surroundings; readonly made: Translated }>();

/** The objects of gateway.networking.k8s.io as the Gateways, VirtualServices and DestinationRules that routing compiles. */
export function translated(surroundings: Surroundings, previous: Translated = NONE): Translated {
  const { objects, services, namespaces, configMaps, clusterDomain } = surroundings;
  if (objects.length === 0) return NONE;
  const last = LAST.get(objects);
  if (
    last?.among.namespaces === namespaces &&
    last.among.configMaps === configMaps &&
    last.among.clusterDomain === clusterDomain &&
    sameList(last.among.services, services)
  )
    return last.made;
  const world = new World(surroundings);
  const { gateways, virtualServices } = atGateways(world);
  const made = {
    gateways: kept(gateways, previous.gateways),
    virtualServices: kept([...inMesh(world), ...virtualServices], previous.virtualServices),
    destinationRules: kept(backendTlsRules(world), previous.destinationRules),
  };
  LAST.set(objects, { among: surroundings, made });
  return made;
}
