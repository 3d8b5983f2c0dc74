import type { ConnectionRoute, ParentRef, RequestRoute } from '../../model/gateway-api.ts';
import type { ListenerState } from '../listeners.ts';
import { letsIn, meant, sharedHosts } from '../open.ts';
import type { Reason } from '../reason.ts';
import type { World } from '../world.ts';

export type Route = RequestRoute | ConnectionRoute;

/** The listeners of one parent to which a route attaches, or why it attaches to none. */
export type Attachment = { readonly to: readonly ListenerState[] } | Reason;

const named = (states: readonly ListenerState[]) => states.map(({ listener }) => listener.name).join(', ');

export function attachment(world: World, route: Route, parent: ParentRef, states: readonly ListenerState[]): Attachment {
  const there = states.filter((state) => meant(state, parent));
  if (there.length === 0) {
    const wanted = [
      ...(parent.sectionName === undefined ? [] : [`the name ${parent.sectionName}`]),
      ...(parent.port === undefined ? [] : [`port ${parent.port}`]),
    ];
    return {
      reason: 'NoMatchingParent',
      message: `${parent.kind} ${parent.namespace}/${parent.name} has no listener${wanted.length === 0 ? '' : ` with ${wanted.join(' and ')}`}`,
    };
  }
  const allowed = there.filter((state) => letsIn(world, state, route.kind, route.meta.namespace));
  if (allowed.length === 0)
    return {
      reason: 'NotAllowedByListeners',
      message: `${named(there)} of ${parent.kind} ${parent.namespace}/${parent.name} ${there.length === 1 ? 'takes' : 'take'} no ${route.kind} of namespace ${route.meta.namespace}`,
    };
  // What a TCP listener carries has no host name.
  const to = allowed.filter(({ listener, host }) => listener.protocol === 'TCP' || sharedHosts(host, route.hostnames).length > 0);
  if (to.length > 0) return { to };
  return {
    reason: 'NoMatchingListenerHostname',
    message: `none of its host names is one of ${named(allowed)} (${allowed.map(({ host }) => host).join(', ')})`,
  };
}
