import type { BackendRef } from '../model/gateway-api.ts';
import { type Hostname, parseHostname } from '../model/hostname.ts';
import type { Destination } from '../model/virtual-service.ts';
import type { World } from './world.ts';

export type Refusal = 'RefNotPermitted' | 'InvalidKind' | 'BackendNotFound';

/** Istio's kind for any host that the mesh knows. */
function isHost({ group, kind }: BackendRef): boolean {
  return group === 'networking.istio.io' && kind === 'Hostname';
}

/** Where a backend reference of a route leads, or why it leads nowhere. */
export function resolvedBackend(world: World, routeKind: string, home: string, ref: BackendRef): Destination | Refusal {
  if (isHost(ref)) {
    const host = parseHostname(ref.name);
    return host === undefined ? 'BackendNotFound' : { host, subset: undefined, port: ref.port };
  }
  if (ref.kind !== 'Service' || (ref.group !== '' && ref.group !== 'core')) return 'InvalidKind';
  if (!world.granted(routeKind, home, ref)) return 'RefNotPermitted';
  const service = world.service(ref.namespace, ref.name);
  const port = service?.ports.find((one) => one.port === ref.port);
  return service === undefined || port === undefined
    ? 'BackendNotFound'
    : { host: service.hostname, subset: undefined, port: port.port };
}

/** A host that nobody can have: its requests are answered as those to what is not there. */
export const NOBODY: Hostname = nobody();

function nobody(): Hostname {
  const host = parseHostname('unresolved-backend.invalid');
  if (host === undefined) throw new TypeError('a host name');
  return host;
}
