import type { AuthorizationPolicy } from '../model/authorization-policy.ts';
import type { ConfigMap } from '../model/config-map.ts';
import type { DestinationRule } from '../model/destination-rule.ts';
import type { EndpointSlice } from '../model/endpoint-slice.ts';
import type { GatewayApiObject } from '../model/gateway-api.ts';
import { isGatewayApi } from '../model/gateway-api-kinds.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ingress, IngressClass } from '../model/ingress.ts';
import type { Meta } from '../model/object.ts';
import type { NamespaceRollout } from '../model/namespace-rollout.ts';
import type { PeerAuthentication } from '../model/peer-authentication.ts';
import type { RateLimit } from '../model/rate-limit.ts';
import type { RequestAuthentication } from '../model/request-authentication.ts';
import type { Service } from '../model/service.ts';
import type { Sidecar } from '../model/sidecar.ts';
import type { ProxySettings } from '../model/proxy-settings.ts';
import type { Telemetry } from '../model/telemetry.ts';
import type { WorkloadEntry } from '../model/workload-entry.ts';
import type { VirtualService } from '../model/virtual-service.ts';
import type { Admitted, Deployment, MachineNode, Pod } from './mesh-object.ts';

/** Admitted objects sorted into their kinds, in the order given. */
export class ByKind {
  readonly namespaces: Meta[] = [];
  readonly services: Service[] = [];
  readonly external: Service[] = [];
  readonly deployments: Deployment[] = [];
  readonly pods: Pod[] = [];
  readonly nodes: MachineNode[] = [];
  readonly slices: EndpointSlice[] = [];
  readonly ingresses: Ingress[] = [];
  readonly ingressClasses: IngressClass[] = [];
  readonly virtualServices: VirtualService[] = [];
  readonly destinationRules: DestinationRule[] = [];
  readonly gateways: Gateway[] = [];
  readonly workloadEntries: WorkloadEntry[] = [];
  readonly sidecars: Sidecar[] = [];
  readonly authorizationPolicies: AuthorizationPolicy[] = [];
  readonly peerAuthentications: PeerAuthentication[] = [];
  readonly requestAuthentications: RequestAuthentication[] = [];
  readonly gatewayApi: GatewayApiObject[] = [];
  readonly configMaps: ConfigMap[] = [];
  readonly rateLimits: RateLimit[] = [];
  readonly telemetries: Telemetry[] = [];
  readonly proxySettings: ProxySettings[] = [];
  readonly namespaceRollouts: NamespaceRollout[] = [];

  constructor(objects: readonly Admitted[]) {
    for (const one of objects) this.#add(one);
  }

  #add(admitted: Admitted): void {
    const { object } = admitted;
    if (isGatewayApi(object)) {
      this.gatewayApi.push(object);
      return;
    }
    switch (object.kind) {
      case 'Namespace':
        this.namespaces.push(object.value.meta);
        return;
      case 'ServiceAccount':
        return;
      case 'Service':
        this.services.push(object.value);
        return;
      case 'ServiceEntry':
        this.external.push(...object.value.services);
        return;
      case 'Deployment':
      case 'StatefulSet':
      case 'DaemonSet':
      case 'ReplicaSet':
      case 'ReplicationController':
      case 'Job':
      case 'CronJob':
        this.deployments.push(object.value);
        return;
      case 'Node':
        this.nodes.push(object.value);
        return;
      case 'EndpointSlice':
      case 'Endpoints':
        this.slices.push(object.value);
        return;
      case 'Ingress':
        this.ingresses.push(object.value);
        return;
      case 'IngressClass':
        this.ingressClasses.push(object.value);
        return;
      case 'Pod':
        this.pods.push(object.value);
        return;
      case 'VirtualService':
        this.virtualServices.push(object.value);
        return;
      case 'DestinationRule':
        this.destinationRules.push(object.value);
        return;
      case 'Gateway':
        this.gateways.push(object.value);
        return;
      case 'WorkloadGroup':
        return;
      case 'ProxyConfig':
        this.proxySettings.push(object.value);
        return;
      case 'WorkloadEntry':
        this.workloadEntries.push(object.value);
        return;
      case 'Sidecar':
        this.sidecars.push(object.value);
        return;
      case 'AuthorizationPolicy':
        this.authorizationPolicies.push(object.value);
        return;
      case 'PeerAuthentication':
        this.peerAuthentications.push(object.value);
        return;
      case 'RequestAuthentication':
        this.requestAuthentications.push(object.value);
        return;
      case 'ConfigMap':
        this.configMaps.push(object.value);
        return;
      case 'RateLimit':
        this.rateLimits.push(object.value);
        return;
      case 'NamespaceRollout':
        this.namespaceRollouts.push(object.value);
        return;
      case 'Telemetry':
        this.telemetries.push(object.value);
        return;
    }
    object satisfies never;
  }
}
