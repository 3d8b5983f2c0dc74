import { VERSIONS } from '../../mesh/admit/kinds.ts';
import { GATEWAY_API_GROUP, GATEWAY_API_KINDS, writtenKind } from '../../mesh/model/gateway-api-kinds.ts';
import type { Kind } from '../../mesh/model/object.ts';

/** What is watched of a cluster. */
export interface Resource {
  /** As it is written in objects. */
  readonly kind: string;
  /** Empty for Kubernetes' core. */
  readonly group: string;
  readonly plural: string;
  /** The versions in which it is read, the best first. */
  readonly versions: readonly string[];
  /** Whether it is there only with a CustomResourceDefinition. */
  readonly custom: boolean;
  readonly query?: Readonly<Record<string, string>>;
  /** Only those are watched that something names: a cluster has many, and large ones, that are nobody's business here. */
  readonly byReference?: true;
}

export const CONFIG_MAPS: Resource = Object.freeze<Resource>({
  // Every namespace has one of these, and nothing refers to them.
  ...core('ConfigMap', 'configmaps', { fieldSelector: 'metadata.name!=kube-root-ca.crt,metadata.name!=istio-ca-root-cert' }),
  byReference: true,
});

/** Kinds of Kubernetes itself. Endpoints are left out: the cluster mirrors those that people write as EndpointSlices. */
const BUILT_IN: readonly Resource[] = [
  core('Namespace', 'namespaces'),
  core('Service', 'services'),
  core('ServiceAccount', 'serviceaccounts'),
  core('Node', 'nodes'),
  // A Pod that has ended is none.
  core('Pod', 'pods', { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' }),
  CONFIG_MAPS,
  builtIn('EndpointSlice', 'discovery.k8s.io', 'endpointslices'),
  builtIn('Ingress', 'networking.k8s.io', 'ingresses'),
  builtIn('IngressClass', 'networking.k8s.io', 'ingressclasses'),
  // What owns Pods: the names of workloads.
  builtIn('Deployment', 'apps', 'deployments'),
  builtIn('StatefulSet', 'apps', 'statefulsets'),
  builtIn('DaemonSet', 'apps', 'daemonsets'),
  builtIn('Job', 'batch', 'jobs'),
  builtIn('CronJob', 'batch', 'cronjobs'),
];

const ISTIO: readonly (readonly [kind: Kind, plural: string])[] = [
  ['VirtualService', 'virtualservices'],
  ['DestinationRule', 'destinationrules'],
  ['Gateway', 'gateways'],
  ['ServiceEntry', 'serviceentries'],
  ['Sidecar', 'sidecars'],
  ['WorkloadEntry', 'workloadentries'],
  ['WorkloadGroup', 'workloadgroups'],
  ['ProxyConfig', 'proxyconfigs'],
  ['AuthorizationPolicy', 'authorizationpolicies'],
  ['PeerAuthentication', 'peerauthentications'],
  ['RequestAuthentication', 'requestauthentications'],
  ['Telemetry', 'telemetries'],
  ['RateLimit', 'ratelimits'],
  ['NamespaceRollout', 'namespacerollouts'],
];

/** Kinds that are not applied, and may keep someone out: whoever wrote one is told. */
const GUARDS: readonly Resource[] = [
  { kind: 'EnvoyFilter', group: 'networking.istio.io', plural: 'envoyfilters', versions: ['v1alpha3'], custom: true },
  { kind: 'WasmPlugin', group: 'extensions.istio.io', plural: 'wasmplugins', versions: ['v1alpha1'], custom: true },
];

export const RESOURCES: readonly Resource[] = Object.freeze([
  ...BUILT_IN,
  ...ISTIO.map(([kind, plural]) => custom(kind, plural)),
  ...GUARDS,
  ...GATEWAY_API_KINDS.map((kind): Resource => {
    const written = writtenKind(kind);
    const plural = /[^aeiou]y$/.test(written) ? `${written.slice(0, -1)}ies` : `${written}${written.endsWith('s') ? 'es' : 's'}`;
    return { ...custom(kind, plural.toLowerCase()), kind: written };
  }),
]);

/** API groups of which definitions may come and go. */
export const CUSTOM_GROUPS: ReadonlySet<string> = new Set(RESOURCES.filter((one) => one.custom).map(({ group }) => group));

/** As `virtualservices.networking.istio.io`, the name of its CustomResourceDefinition. */
export function nameOf({ plural, group }: Pick<Resource, 'plural' | 'group'>): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** What stands for a file where an object of a cluster is told of; whatever version it was read in, it is one object. */
export function placeOf(resource: Resource, { namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return [nameOf(resource), ...(namespace === '' ? [] : [namespace]), name].join('/');
}

/** Where all objects of a resource are, in every namespace or in one. */
export function pathOf({ plural, group }: Pick<Resource, 'plural' | 'group'>, version: string, namespace?: string): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespace === undefined ? `${root}/${plural}` : `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}

/** Where one object is. */
export function objectPath(
  resource: Pick<Resource, 'plural' | 'group'>,
  version: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): string {
  const root = resource.group === '' ? `/api/${version}` : `/apis/${resource.group}/${version}`;
  const place = namespace === '' ? root : `${root}/namespaces/${encodeURIComponent(namespace)}`;
  return `${place}/${resource.plural}/${encodeURIComponent(name)}`;
}

export function apiVersionOf({ group }: Pick<Resource, 'group'>, version: string): string {
  return group === '' ? version : `${group}/${version}`;
}

function core(kind: Kind, plural: string, query?: Readonly<Record<string, string>>): Resource {
  return { kind, group: '', plural, versions: ['v1'], custom: false, ...(query !== undefined && { query }) };
}

function builtIn(kind: Kind, group: string, plural: string): Resource {
  return { kind, group, plural, versions: ['v1'], custom: false };
}

/** The versions are those that admission reads. */
function custom(kind: Kind, plural: string): Resource {
  const apiVersions = VERSIONS[kind].map((one) => one.split('/'));
  const group = apiVersions[0]?.[0] ?? GATEWAY_API_GROUP;
  return { kind, group, plural, versions: apiVersions.map(([, version]) => version ?? ''), custom: true };
}
