import type { AuthorizationPolicy } from '../../model/authorization-policy.ts';
import type { ConfigMap } from '../../model/config-map.ts';
import type { DestinationRule } from '../../model/destination-rule.ts';
import type { GatewayApiObject } from '../../model/gateway-api.ts';
import type { Gateway } from '../../model/gateway.ts';
import type { MeshConfig } from '../../model/mesh-config.ts';
import type { Ingress, IngressClass } from '../../model/ingress.ts';
import type { Meta } from '../../model/object.ts';
import type { NamespaceRollout } from '../../model/namespace-rollout.ts';
import type { PeerAuthentication } from '../../model/peer-authentication.ts';
import type { RateLimit } from '../../model/rate-limit.ts';
import type { RequestAuthentication } from '../../model/request-authentication.ts';
import type { Service } from '../../model/service.ts';
import type { Sidecar } from '../../model/sidecar.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { ProxySettings } from '../../model/proxy-settings.ts';
import type { Telemetry } from '../../model/telemetry.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import type { Workload } from '../../model/workload.ts';
import type { ByKind } from '../by-kind.ts';
import type { MachineNode } from '../mesh-object.ts';
import { type Places, placesOf } from '../places.ts';
import { translated, type Translated } from '../../gateway-api/translate.ts';
import { type FromIngress, ingressesTranslated } from '../../ingress/translate.ts';
import { compareMeta } from './order.ts';
import { type Difference, NO_DIFFERENCE, Ordered } from './ordered.ts';
import { Services } from './services.ts';
import { Workloads } from './workloads.ts';

const byMeta = <T extends { readonly meta: Meta }>(one: T, other: T): number => compareMeta(one.meta, other.meta);

/** What changed of what objects refer to. */
export interface ListChanges {
  readonly services: Difference<Service>;
  readonly workloads: Difference<Workload>;
  readonly virtualServices: Difference<VirtualService>;
  readonly destinationRules: Difference<DestinationRule>;
  readonly gateways: Difference<Gateway>;
}

/** One kind of Istio's, and the objects of that kind that the Gateway API comes to. */
class WithWritten<T extends { readonly meta: Meta }> {
  readonly #own = new Ordered<T>(byMeta);
  readonly #join: (own: readonly T[], written: readonly T[]) => readonly T[];
  #written: readonly T[] = [];
  /** Where each of the written ones stands among them; they follow those of Istio's kind that are like them. */
  readonly #ranks = new WeakMap<T, number>();
  #values: readonly T[] = Object.freeze([]);

  constructor(join: (own: readonly T[], written: readonly T[]) => readonly T[]) {
    this.#join = join;
  }

  get values(): readonly T[] {
    return this.#values;
  }

  rankOf(value: T): number {
    return this.#ranks.get(value) ?? -1;
  }

  patch({ gone, come }: Difference<T>, written: readonly T[]): Difference<T> {
    const before = this.#written;
    const same = before.length === written.length && before.every((value, at) => value === written[at]);
    if (same && gone.length === 0 && come.length === 0) return NO_DIFFERENCE;
    this.#own.patch({ gone, come });
    if (!same) {
      this.#written = written;
      for (const [at, value] of written.entries()) this.#ranks.set(value, at);
    }
    this.#values =
      this.#written.length === 0 ? this.#own.values : Object.freeze([...this.#join(this.#own.values, this.#written)]);
    // Their places among each other may have changed with any of them.
    return same ? { gone, come } : { gone: [...gone, ...before], come: [...come, ...written] };
  }
}

function sorted<T extends { readonly meta: Meta }>(own: readonly T[], written: readonly T[]): readonly T[] {
  return [...own, ...written].sort(byMeta);
}

/** The lists of a snapshot, kept in order while objects come and go. */
export class Lists {
  readonly #nodes = new Ordered<MachineNode>(byMeta);
  #placed = '';
  #places: Places = placesOf([]);
  readonly services = new Services();
  readonly #workloads: Workloads;
  readonly #namespaces = new Ordered<Meta>(compareMeta);
  readonly #configMaps = new Ordered<ConfigMap>(byMeta);
  readonly #gatewayApi = new Ordered<GatewayApiObject>((one, other) => compareMeta(one.value.meta, other.value.meta));
  readonly #ingresses = new Ordered<Ingress>(byMeta);
  readonly #ingressClasses = new Ordered<IngressClass>(byMeta);
  #translated: Translated | undefined;
  #fromIngress: FromIngress | undefined;
  // Objects of Istio's kinds say more of one host than routes do.
  readonly virtualServices = new WithWritten<VirtualService>((own, written) => [...own, ...written]);
  readonly destinationRules = new WithWritten<DestinationRule>(sorted);
  readonly gateways = new WithWritten<Gateway>(sorted);
  readonly #sidecars = new Ordered<Sidecar>(byMeta);
  readonly #authorizationPolicies = new Ordered<AuthorizationPolicy>(byMeta);
  readonly #peerAuthentications = new Ordered<PeerAuthentication>(byMeta);
  readonly #requestAuthentications = new Ordered<RequestAuthentication>(byMeta);
  readonly #rateLimits = new Ordered<RateLimit>(byMeta);
  readonly #telemetries = new Ordered<Telemetry>(byMeta);
  readonly #proxySettings = new Ordered<ProxySettings>(byMeta);
  readonly #namespaceRollouts = new Ordered<NamespaceRollout>(byMeta);

  constructor(assumePods: boolean) {
    this.#workloads = new Workloads(assumePods);
  }

  patch(gone: ByKind, come: ByKind, meshConfig: MeshConfig): ListChanges {
    const of = <K extends keyof ByKind>(kind: K): { readonly gone: ByKind[K]; readonly come: ByKind[K] } => ({
      gone: gone[kind],
      come: come[kind],
    });
    this.#place(of('nodes'));
    const read = { gone: [...gone.services, ...gone.external], come: [...come.services, ...come.external] };
    const services = this.services.patch(read, of('slices'), this.#places);
    const workloads = this.#workloads.patch(
      { templated: of('deployments'), pods: of('pods'), entries: of('workloadEntries') },
      this.#places,
    );
    this.#namespaces.patch(of('namespaces'));
    this.#configMaps.patch(of('configMaps'));
    this.#gatewayApi.patch(of('gatewayApi'));
    this.#ingresses.patch(of('ingresses'));
    this.#ingressClasses.patch(of('ingressClasses'));
    this.#sidecars.patch(of('sidecars'));
    this.#authorizationPolicies.patch(of('authorizationPolicies'));
    this.#peerAuthentications.patch(of('peerAuthentications'));
    this.#requestAuthentications.patch(of('requestAuthentications'));
    this.#rateLimits.patch(of('rateLimits'));
    this.#telemetries.patch(of('telemetries'));
    this.#proxySettings.patch(of('proxySettings'));
    this.#namespaceRollouts.patch(of('namespaceRollouts'));
    const written = (this.#translated = translated(
      {
        objects: this.#gatewayApi.values,
        services: this.services.values,
        namespaces: this.#namespaces.values,
        configMaps: this.#configMaps.values,
        clusterDomain: meshConfig.clusterDomain,
      },
      this.#translated,
    ));
    const ingress = (this.#fromIngress = ingressesTranslated(
      {
        ingresses: this.#ingresses.values,
        classes: this.#ingressClasses.values,
        services: this.services.values,
        meshConfig,
      },
      this.#fromIngress,
    ));
    return {
      services,
      workloads,
      virtualServices: this.virtualServices.patch(of('virtualServices'), [
        ...written.virtualServices,
        ...ingress.virtualServices,
      ]),
      destinationRules: this.destinationRules.patch(of('destinationRules'), written.destinationRules),
      gateways: this.gateways.patch(of('gateways'), [...written.gateways, ...ingress.gateways]),
    };
  }

  /** Nodes are written anew every few minutes, to say that they are there; places are others only when one stands elsewhere. */
  #place(nodes: Difference<MachineNode>): void {
    if (nodes.gone.length === 0 && nodes.come.length === 0) return;
    this.#nodes.patch(nodes);
    const placed = JSON.stringify(this.#nodes.values.map(({ meta, locality }) => [meta.name, locality]));
    if (placed === this.#placed) return;
    this.#placed = placed;
    this.#places = placesOf(this.#nodes.values);
  }

  snapshot(number: number, meshConfig: MeshConfig): Snapshot {
    return Object.freeze({
      number,
      meshConfig,
      namespaces: this.#namespaces.values,
      services: this.services.values,
      workloads: this.#workloads.values,
      virtualServices: this.virtualServices.values,
      destinationRules: this.destinationRules.values,
      gateways: this.gateways.values,
      gatewayApi: this.#gatewayApi.values,
      configMaps: this.#configMaps.values,
      sidecars: this.#sidecars.values,
      authorizationPolicies: this.#authorizationPolicies.values,
      peerAuthentications: this.#peerAuthentications.values,
      requestAuthentications: this.#requestAuthentications.values,
      rateLimits: this.#rateLimits.values,
      telemetries: this.#telemetries.values,
      proxySettings: this.#proxySettings.values,
      namespaceRollouts: this.#namespaceRollouts.values,
    });
  }
}
