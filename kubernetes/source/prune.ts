import { isJson, type Json } from '../api/json.ts';

/** What is needed of a mapping: `true` a whole value, a further shape of a mapping, or of each item of a list. */
interface Shape {
  readonly [field: string]: true | Shape;
}

const META: Shape = Object.freeze({
  name: true,
  namespace: true,
  labels: true,
  annotations: true,
  creationTimestamp: true,
});
const OWNED: Shape = Object.freeze({ ...META, uid: true, ownerReferences: Object.freeze({ kind: true, name: true }) });
const CONTAINER: Shape = Object.freeze({
  name: true,
  image: true,
  ports: true,
  livenessProbe: true,
  readinessProbe: true,
  startupProbe: true,
  lifecycle: true,
});
const POD_SPEC: Shape = Object.freeze({
  serviceAccountName: true,
  serviceAccount: true,
  nodeName: true,
  hostname: true,
  subdomain: true,
  hostNetwork: true,
  initContainers: Object.freeze({ name: true, restartPolicy: true }),
  containers: CONTAINER,
});
const TEMPLATE: Shape = Object.freeze({ metadata: Object.freeze({ labels: true, annotations: true }), spec: POD_SPEC });
const TEMPLATED: Shape = Object.freeze({
  metadata: OWNED,
  spec: Object.freeze({ replicas: true, parallelism: true, suspend: true, template: TEMPLATE, selector: true }),
});

/** What is kept of the kinds of which a cluster has many, and of which most is nobody's business here. */
const SHAPES: Readonly<Record<string, Shape>> = Object.freeze({
  Pod: {
    metadata: OWNED,
    spec: POD_SPEC,
    status: { podIP: true, podIPs: true, phase: true, conditions: { type: true, status: true } },
  },
  Deployment: TEMPLATED,
  StatefulSet: TEMPLATED,
  DaemonSet: TEMPLATED,
  Job: TEMPLATED,
  CronJob: { metadata: OWNED, spec: { suspend: true, jobTemplate: { spec: { template: TEMPLATE } } } },
  Node: { metadata: META },
  Namespace: { metadata: META },
  ServiceAccount: { metadata: META },
  ConfigMap: { metadata: META, data: { 'ca.crt': true } },
  EndpointSlice: { metadata: META, addressType: true, endpoints: true, ports: true },
});

const OF_ALL: readonly string[] = ['managedFields'];
/** Of a Pod: most of it. Containers have other lists and mappings that are kept, and names of labels are those of texts. */
const OF_PODS: readonly string[] = [
  ...OF_ALL,
  'args',
  'env',
  'envFrom',
  'volumes',
  'volumeMounts',
  'resources',
  'securityContext',
  'tolerations',
  'affinity',
  'topologySpreadConstraints',
  'imagePullSecrets',
  'containerStatuses',
  'initContainerStatuses',
  'ephemeralContainerStatuses',
];
const UNREAD: Readonly<Record<string, ReadonlySet<string>>> = Object.freeze({
  Pod: new Set(OF_PODS),
  Deployment: new Set(OF_PODS),
  StatefulSet: new Set(OF_PODS),
  DaemonSet: new Set(OF_PODS),
  Job: new Set(OF_PODS),
  CronJob: new Set(OF_PODS),
});
const MANAGED: ReadonlySet<string> = new Set(OF_ALL);

/** Members of objects of a kind that `pruned` drops, wherever in them they are: they need not be read first. */
export function unreadOf(kind: string): ReadonlySet<string> {
  return UNREAD[kind] ?? MANAGED;
}

/** What kubectl writes there is the whole object once more. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * An object as admission reads it, without what the cluster keeps of its own in it: a Pod's heartbeat or a status that was written is
 * then no change.
 */
export function pruned(kind: string, apiVersion: string, object: Json): Json {
  const shape = SHAPES[kind];
  // Status is written by controllers, of ours one of them.
  const { status: _, ...rest } = object;
  const kept = shape === undefined ? { ...rest, metadata: keptOf(object['metadata'], META) } : keptOf(object, shape);
  return { ...(isJson(kept) ? withoutCopy(kept) : {}), apiVersion, kind };
}

function keptOf(value: unknown, shape: Shape): unknown {
  if (Array.isArray(value)) return value.map((item) => keptOf(item, shape));
  if (!isJson(value)) return value;
  const found: Record<string, unknown> = {};
  for (const [field, inner] of Object.entries(shape)) {
    const written = value[field];
    if (written !== undefined) found[field] = inner === true ? written : keptOf(written, inner);
  }
  return found;
}

function withoutCopy(object: Json): Json {
  const { metadata } = object;
  if (!isJson(metadata) || !isJson(metadata['annotations']) || !(LAST_APPLIED in metadata['annotations'])) return object;
  const { [LAST_APPLIED]: _, ...annotations } = metadata['annotations'];
  return { ...object, metadata: { ...metadata, annotations } };
}
