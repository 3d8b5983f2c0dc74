import type { ConfigMap } from '../model/config-map.ts';
import type {
  BackendTlsPolicy,
  ConnectionRoute,
  FromNamespaces,
  GatewayApiObject,
  GatewayClass,
  KubernetesGateway,
  LabelSelector,
  ListenerSet,
  ObjectRef,
  ReferenceGrant,
  RequestRoute,
} from '../model/gateway-api.ts';
import type { Hostname } from '../model/hostname.ts';
import type { Labels, Meta } from '../model/object.ts';
import { GATEWAY_API_GROUP } from '../model/gateway-api-kinds.ts';
import type { Service } from '../model/service.ts';
import { AskedServices, type KnownService } from './asked-services.ts';
import { type Standing, standing } from './classes.ts';

export interface Surroundings {
  readonly objects: readonly GatewayApiObject[];
  readonly services: readonly Service[];
  readonly namespaces: readonly Meta[];
  readonly configMaps: readonly ConfigMap[];
  readonly clusterDomain: string;
}

/** Older first, then by namespace and name, as the API resolves conflicts. */
export function older(one: Meta, other: Meta): number {
  const age = (one.createdAt ?? Number.MAX_SAFE_INTEGER) - (other.createdAt ?? Number.MAX_SAFE_INTEGER);
  if (age !== 0) return age;
  const [a, b] = [`${one.namespace}/${one.name}`, `${other.namespace}/${other.name}`];
  return a < b ? -1 : a > b ? 1 : 0;
}

function holds(selector: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels)) if (labels[key] !== value) return false;
  return selector.matchExpressions.every(({ key, operator, values }) => {
    const value = labels[key];
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      default:
        return false;
    }
  });
}

/** All objects of the Gateway API, and what they refer to. */
export class World {
  readonly classes: ReadonlyMap<string, GatewayClass>;
  /** Of classes that are served here. */
  readonly gateways: readonly KubernetesGateway[];
  readonly allGateways: readonly KubernetesGateway[];
  readonly listenerSets: ListenerSet[] = [];
  readonly requestRoutes: RequestRoute[] = [];
  readonly connectionRoutes: ConnectionRoute[] = [];
  readonly policies: BackendTlsPolicy[] = [];
  readonly clusterDomain: string;
  readonly #grants: ReferenceGrant[] = [];
  readonly #namespaces: ReadonlyMap<string, Labels>;
  readonly services: AskedServices;
  readonly #configMaps: ReadonlyMap<string, ConfigMap>;

  constructor({ objects, services, namespaces, configMaps, clusterDomain }: Surroundings) {
    const classes = new Map<string, GatewayClass>();
    const gateways: KubernetesGateway[] = [];
    this.#configMaps = new Map(configMaps.map((one) => [`${one.meta.namespace}/${one.meta.name}`, one]));
    this.clusterDomain = clusterDomain;
    this.#namespaces = new Map(namespaces.map(({ name, labels }) => [name, labels]));
    this.services = new AskedServices(services);
    for (const object of objects) {
      switch (object.kind) {
        case 'GatewayClass':
          classes.set(object.value.meta.name, object.value);
          break;
        case 'KubernetesGateway':
          gateways.push(object.value);
          break;
        case 'ListenerSet':
          this.listenerSets.push(object.value);
          break;
        case 'HTTPRoute':
        case 'GRPCRoute':
          this.requestRoutes.push(object.value);
          break;
        case 'TLSRoute':
        case 'TCPRoute':
          this.connectionRoutes.push(object.value);
          break;
        case 'ReferenceGrant':
          this.#grants.push(object.value);
          break;
        case 'BackendTLSPolicy':
          this.policies.push(object.value);
          break;
        default:
          object satisfies never;
      }
    }
    for (const all of [gateways, this.listenerSets, this.requestRoutes, this.connectionRoutes, this.policies])
      all.sort((one, other) => older(one.meta, other.meta));
    this.classes = classes;
    this.allGateways = gateways;
    this.gateways = gateways.filter((gateway) => this.standing(gateway).kind === 'served');
  }

  service(namespace: string, name: string): KnownService | undefined {
    return this.services.get(`${name}.${namespace}.svc.${this.clusterDomain}`);
  }

  serviceByHost(host: Hostname): KnownService | undefined {
    return this.services.get(host);
  }

  standing({ className }: KubernetesGateway): Standing {
    return standing(this.classes, className);
  }

  configMap({ group, kind, namespace, name }: ObjectRef): ConfigMap | undefined {
    return (group === '' || group === 'core') && kind === 'ConfigMap' ? this.#configMaps.get(`${namespace}/${name}`) : undefined;
  }

  /** Whether objects of a namespace may attach to one in `home`. */
  admits(from: FromNamespaces, home: string, namespace: string): boolean {
    switch (from.kind) {
      case 'All':
        return true;
      case 'Same':
        return home === namespace;
      case 'None':
        return false;
      case 'Selector':
        return holds(from.selector, {
          'kubernetes.io/metadata.name': namespace,
          ...this.#namespaces.get(namespace),
        });
      default:
        return from satisfies never;
    }
  }

  /** Whether an object may name another: of its own namespace, or by a ReferenceGrant there. */
  granted(kind: string, namespace: string, to: ObjectRef): boolean {
    if (namespace === to.namespace) return true;
    return this.#grants.some(
      (grant) =>
        grant.meta.namespace === to.namespace &&
        grant.from.some((from) => from.group === GATEWAY_API_GROUP && from.kind === kind && from.namespace === namespace) &&
        grant.to.some(
          (one) => one.group === to.group && one.kind === to.kind && (one.name === undefined || one.name === to.name),
        ),
    );
  }
}
