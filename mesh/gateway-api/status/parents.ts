import type { KubernetesGateway, ListenerSet, ParentRef } from '../../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../../model/gateway-api-kinds.ts';
import { isSetOf, type ListenerState, listenerStates, takes } from '../listeners.ts';
import type { Reason } from '../reason.ts';
import type { World } from '../world.ts';

export type Parent =
  | { readonly controller: string; readonly states: readonly ListenerState[] }
  | { readonly controller: string; readonly problem: Reason };

const keyOf = (one: { readonly namespace: string; readonly name: string }) => `${one.namespace}/${one.name}`;

/** The Gateways and ListenerSets that routes may attach to. */
export class Parents {
  readonly world: World;
  readonly #states: ReadonlyMap<KubernetesGateway, readonly ListenerState[]>;
  readonly #gateways: ReadonlyMap<string, KubernetesGateway>;
  readonly #sets: ReadonlyMap<string, ListenerSet>;

  constructor(world: World) {
    this.world = world;
    this.#states = new Map(world.gateways.map((gateway) => [gateway, listenerStates(world, gateway)]));
    this.#gateways = new Map(world.allGateways.map((gateway) => [keyOf(gateway.meta), gateway]));
    this.#sets = new Map(world.listenerSets.map((set) => [keyOf(set.meta), set]));
  }

  statesOf(gateway: KubernetesGateway): readonly ListenerState[] {
    return this.#states.get(gateway) ?? [];
  }

  /** The Gateway that a ListenerSet names, where it is served here. */
  gatewayOf(set: ListenerSet): KubernetesGateway | undefined {
    const gateway = this.#gateways.get(keyOf(set.parent));
    return gateway !== undefined && isSetOf(gateway, set) && this.#states.has(gateway) ? gateway : undefined;
  }

  /** Undefined when it is not there, or another controller's. */
  find(parent: ParentRef): Parent | undefined {
    const set = parent.kind === 'ListenerSet' ? this.#sets.get(keyOf(parent)) : undefined;
    const gateway = set === undefined ? this.#gatewayFor(parent) : this.gatewayOf(set);
    if (gateway === undefined) return undefined;
    const controller = this.controllerOf(gateway);
    if (set !== undefined && !takes(this.world, gateway, set))
      return {
        controller,
        problem: { reason: 'NoMatchingParent', message: `Gateway ${keyOf(gateway.meta)} takes no listeners of ${keyOf(parent)}` },
      };
    return { controller, states: this.statesOf(gateway) };
  }

  controllerOf(gateway: KubernetesGateway): string {
    const standing = this.world.standing(gateway);
    return standing.kind === 'unknown' ? '' : standing.controller;
  }

  /** That a parent of these kinds is not there at all: no status speaks of it, since nobody knows whose it would be. */
  missing(parent: ParentRef): Reason | undefined {
    if (parent.group !== GATEWAY_API_GROUP || (parent.kind !== 'Gateway' && parent.kind !== 'ListenerSet')) return undefined;
    const there = parent.kind === 'Gateway' ? this.#gateways : this.#sets;
    return there.has(keyOf(parent))
      ? undefined
      : { reason: 'NoMatchingParent', message: `there is no ${parent.kind} ${keyOf(parent)}` };
  }

  #gatewayFor(parent: ParentRef): KubernetesGateway | undefined {
    const gateway = parent.kind === 'Gateway' ? this.#gateways.get(keyOf(parent)) : undefined;
    return gateway !== undefined && this.#states.has(gateway) ? gateway : undefined;
  }
}
