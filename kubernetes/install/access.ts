import { BUNDLE_NAMES } from '../authority/trust-bundle.ts';
import { clusterName, commonLabels, instanceName } from './names.ts';
import type { KubernetesObject } from './object.ts';
import type { InstallOptions } from './options.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

const READ = ['get', 'list', 'watch'];
const WRITE_STATUS = ['get', 'patch', 'update'];

/** The kinds of configuration, by group: they are read, and their status is written. Nothing of them is created or deleted but what rollouts have (`options.rollouts`). */
export const CONFIGURATION: Readonly<Record<string, readonly string[]>> = Object.freeze({
  'networking.istio.io': [
    'destinationrules',
    'gateways',
    'proxyconfigs',
    'serviceentries',
    'sidecars',
    'virtualservices',
    'workloadentries',
    'workloadgroups',
  ],
  'security.istio.io': ['authorizationpolicies', 'peerauthentications', 'requestauthentications'],
  'telemetry.istio.io': ['telemetries'],
  'gateway.networking.k8s.io': [
    'backendtlspolicies',
    'gatewayclasses',
    'gateways',
    'grpcroutes',
    'httproutes',
    'listenersets',
    'referencegrants',
    'tcproutes',
    'tlsroutes',
  ],
  'gatehouse.dev': ['namespacerollouts', 'ratelimits'],
});

/** A ReferenceGrant has no status. */
const WITHOUT_STATUS: ReadonlySet<string> = new Set(['referencegrants']);

/** The objects of a rollout's stages, and the dry run to which a rollback sets policies of others. Neither a label nor a name can limit it. */
const STAGES_OBJECTS: Rule = {
  apiGroups: ['security.istio.io'],
  resources: ['authorizationpolicies', 'peerauthentications'],
  verbs: ['create', 'delete', 'patch'],
};

/**
 * What the control plane may do anywhere. Secrets are not among it: gateways read theirs by themselves
 * (`gatewaySecrets`), its own it may by a Role.
 */
function clusterRules(options: InstallOptions): readonly Rule[] {
  return [
    { apiGroups: [''], resources: ['namespaces', 'nodes', 'pods', 'serviceaccounts', 'services'], verbs: READ },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: READ },
    { apiGroups: ['networking.k8s.io'], resources: ['ingressclasses', 'ingresses'], verbs: READ },
    // What owns Pods: the names of workloads.
    { apiGroups: ['apps'], resources: ['daemonsets', 'deployments', 'statefulsets'], verbs: READ },
    { apiGroups: ['batch'], resources: ['cronjobs', 'jobs'], verbs: READ },
    // Not applied: whoever wrote one is told.
    {
      apiGroups: ['networking.istio.io'],
      resources: ['envoyfilters', 'envoyfilters/status'],
      verbs: ['get', 'list', 'patch', 'watch'],
    },
    {
      apiGroups: ['extensions.istio.io'],
      resources: ['wasmplugins', 'wasmplugins/status'],
      verbs: ['get', 'list', 'patch', 'watch'],
    },
    { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: WRITE_STATUS },
    { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: READ },
    ...Object.entries(CONFIGURATION).flatMap(([group, resources]): Rule[] => [
      { apiGroups: [group], resources, verbs: READ },
      {
        apiGroups: [group],
        resources: resources.filter((name) => !WITHOUT_STATUS.has(name)).map((name) => `${name}/status`),
        verbs: WRITE_STATUS,
      },
    ]),
    ...(options.rollouts === 'enabled' ? [STAGES_OBJECTS] : []),
    { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
    { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
    // The trust bundle in each namespace. Names cannot limit `create`, nor `list` of objects that are not there yet.
    { apiGroups: [''], resources: ['configmaps'], verbs: ['create', ...READ] },
    { apiGroups: [''], resources: ['configmaps'], resourceNames: [...BUNDLE_NAMES], verbs: ['patch', 'update'] },
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
      verbs: READ,
    },
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['mutatingwebhookconfigurations'],
      resourceNames: [`${clusterName(options)}-injector`],
      verbs: ['patch', 'update'],
    },
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['validatingwebhookconfigurations'],
      resourceNames: [`${clusterName(options)}-validator`],
      verbs: ['patch', 'update'],
    },
    // The revisions that are installed own what the control plane makes in other namespaces: it goes with the last of them. Only listing finds those that come later.
    { apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], verbs: ['get', 'list'] },
  ];
}

/** What replicas that are gone, and join tokens that expired, leave behind is deleted. */
const OWNED = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

/** In its own namespace: the authority's key, leases, and what replicas share. */
const OWN_RULES: readonly Rule[] = Object.freeze([
  { apiGroups: [''], resources: ['secrets'], verbs: OWNED },
  { apiGroups: [''], resources: ['configmaps'], verbs: OWNED },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: OWNED },
]);

export function accessObjects(options: InstallOptions): readonly KubernetesObject[] {
  const name = instanceName(options);
  const labels = commonLabels(options);
  const { namespace } = options;
  const account = [{ kind: 'ServiceAccount', name, namespace }];
  const group = 'rbac.authorization.k8s.io';
  const apiVersion = `${group}/v1`;
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace, labels } },
    {
      apiVersion,
      kind: 'ClusterRole',
      metadata: { name: clusterName(options), labels },
      rules: clusterRules(options),
    },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name: clusterName(options), labels },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: clusterName(options) },
      subjects: account,
    },
    { apiVersion, kind: 'Role', metadata: { name, namespace, labels }, rules: OWN_RULES },
    {
      apiVersion,
      kind: 'RoleBinding',
      metadata: { name, namespace, labels },
      roleRef: { apiGroup: group, kind: 'Role', name },
      subjects: account,
    },
    ...secretNamespaces(options).flatMap((where) => gatewaySecrets(options, where)),
  ];
}

/** Gateways read the Secrets of their own namespace by themselves; who installs one by other means binds its ServiceAccount. */
function gatewaySecrets(options: InstallOptions, where: string): readonly KubernetesObject[] {
  const name = `${instanceName(options)}-secrets`;
  const metadata = { name, namespace: where, labels: commonLabels(options) };
  const group = 'rbac.authorization.k8s.io';
  const own = options.gateways.filter((gateway) => gateway.namespace === where);
  const role = {
    apiVersion: `${group}/v1`,
    kind: 'Role',
    metadata,
    rules: [{ apiGroups: [''], resources: ['secrets'], verbs: READ }],
  };
  if (own.length === 0) return [role];
  return [
    role,
    {
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: group, kind: 'Role', name },
      subjects: own.map((gateway) => ({ kind: 'ServiceAccount', name: gateway.name, namespace: where })),
    },
  ];
}

function secretNamespaces({ gatewayNamespaces, gateways }: InstallOptions): readonly string[] {
  return [...new Set([...gatewayNamespaces, ...gateways.map((gateway) => gateway.namespace)])].sort();
}
