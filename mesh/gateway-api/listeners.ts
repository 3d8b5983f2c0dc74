import type { KubernetesGateway, Listener, ListenerSet } from '../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../model/gateway-api-kinds.ts';
import type { ServerTls } from '../model/gateway.ts';
import type { Hostname } from '../model/hostname.ts';
import { type Conflict, conflicts } from './conflicts.ts';
import { listenerTls, type Owner } from './listener-references.ts';
import { ANY_HOST } from './open.ts';
import type { Reason } from './reason.ts';
import type { World } from './world.ts';

/** A listener of a Gateway or a ListenerSet, and what became of it. */
export interface ListenerState {
  readonly gateway: KubernetesGateway;
  /** Whose it is, and in what object routes name it. */
  readonly owner: Owner;
  readonly listener: Listener;
  readonly host: Hostname;
  /** The name of the Gateway that is made of it; `~` is in no name of Kubernetes. */
  readonly name: string;
  readonly tls: ServerTls;
  readonly conflict: Conflict | undefined;
  /** Why it is not opened, besides a conflict or a protocol that is not there. */
  readonly refused: Reason | undefined;
  readonly unresolved: readonly Reason[];
}

export function isSetOf({ meta }: KubernetesGateway, { parent }: ListenerSet): boolean {
  return (
    parent.group === GATEWAY_API_GROUP &&
    parent.kind === 'Gateway' &&
    parent.namespace === meta.namespace &&
    parent.name === meta.name
  );
}

/** Whether a Gateway takes listeners of a ListenerSet that names it. */
export function takes(world: World, gateway: KubernetesGateway, set: ListenerSet): boolean {
  return isSetOf(gateway, set) && world.admits(gateway.allowedListeners, gateway.meta.namespace, set.meta.namespace);
}

/** All listeners of a Gateway, its own first, then those of its ListenerSets by age. */
export function listenerStates(world: World, gateway: KubernetesGateway): readonly ListenerState[] {
  const owners = [
    { kind: 'Gateway' as const, meta: gateway.meta, listeners: gateway.listeners },
    ...world.listenerSets
      .filter((set) => takes(world, gateway, set))
      .map(({ meta, listeners }) => ({ kind: 'ListenerSet' as const, meta, listeners })),
  ];
  const conflicted = conflicts(owners.map(({ listeners }) => listeners));
  return owners.flatMap(({ kind, meta, listeners }) =>
    listeners.map((listener) => {
      const owner = { kind, meta };
      const from = kind === 'Gateway' ? '' : `~${meta.namespace}~${meta.name}`;
      return {
        gateway,
        owner,
        listener,
        host: listener.hostname ?? ANY_HOST,
        name: `${gateway.meta.name}${from}~${listener.name}`,
        conflict: conflicted.get(listener),
        ...listenerTls(world, gateway, owner, listener),
      };
    }),
  );
}
