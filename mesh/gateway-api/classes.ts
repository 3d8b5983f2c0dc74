import type { GatewayClass } from '../model/gateway-api.ts';

/** The name under which this control plane answers for Gateways. */
export const CONTROLLER = 'gatehouse.dev/gateway-controller';

/** Whose classes are served: Istio's mean the same kind of gateway. */
const SERVED: ReadonlySet<string> = new Set([CONTROLLER, 'istio.io/gateway-controller']);
export const CONTROLLERS: readonly string[] = Object.freeze([...SERVED]);

/** Istio's other ones: waypoints, and gateways of other clusters. */
const UNSUPPORTED: ReadonlySet<string> = new Set(['istio.io/mesh-controller', 'istio.io/unmanaged-gateway']);

/** Classes that are there without an object, as Istio makes its own. */
const BUILT_IN: ReadonlyMap<string, string> = new Map(
  Object.entries({
    gatehouse: CONTROLLER,
    istio: 'istio.io/gateway-controller',
    'istio-waypoint': 'istio.io/mesh-controller',
    'istio-remote': 'istio.io/unmanaged-gateway',
  }),
);

/** Whether Gateways of a class are served here. Those of others belong to another controller and are left alone. */
export type Standing =
  { readonly kind: 'served' | 'unsupported' | 'other'; readonly controller: string } | { readonly kind: 'unknown' };

export function standingOf(controller: string): Standing {
  if (SERVED.has(controller)) return { kind: 'served', controller };
  return { kind: UNSUPPORTED.has(controller) ? 'unsupported' : 'other', controller };
}

export function standing(classes: ReadonlyMap<string, GatewayClass>, name: string): Standing {
  const controller = classes.get(name)?.controller ?? BUILT_IN.get(name);
  return controller === undefined ? { kind: 'unknown' } : standingOf(controller);
}
