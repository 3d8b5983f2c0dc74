import type { Owner } from './context.ts';
import { isObject, type Json, type JsonObject, listAt, objectAt, textAt, type TextMap, textsAt } from './json.ts';
import type { PodTemplate } from './pod.ts';

/** Where in an object of a kind the template of its pods is. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = Object.freeze({
  Pod: [],
  PodTemplate: ['template'],
  Deployment: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  ReplicationController: ['spec', 'template'],
  DeploymentConfig: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
});

/** A template of pods within an object, or within an item of a List. */
export interface Found {
  readonly path: readonly (string | number)[];
  readonly pod: PodTemplate;
  readonly owner: Owner;
  readonly namespace: string;
}

/** The templates of pods in an object; several in a List. */
export function templatesIn(object: JsonObject, defaultNamespace: string): readonly Found[] {
  const kind = textAt(object, 'kind') ?? '';
  if (kind === 'List')
    return listAt(object, 'items').flatMap((item, index) =>
      templatesIn(item, defaultNamespace).map((found) => ({ ...found, path: ['items', index, ...found.path] })),
    );
  const path = Object.hasOwn(TEMPLATES, kind) ? TEMPLATES[kind] : undefined;
  if (path === undefined) return [];
  let value: Json | undefined = object;
  for (const field of path) value = isObject(value) ? value[field] : undefined;
  if (!isObject(value) || !isObject(value['spec'])) return [];
  const metadata = objectAt(object, 'metadata');
  const pod = { metadata: objectAt(value, 'metadata'), spec: value['spec'] };
  const namespace = textAt(metadata, 'namespace') ?? defaultNamespace;
  const owner =
    kind === 'Pod' ? ownerOfPod(metadata) : { apiVersion: textAt(object, 'apiVersion') ?? '', kind, name: nameOf(metadata) };
  return [{ path, pod, owner, namespace }];
}

function nameOf(metadata: JsonObject): string {
  return textAt(metadata, 'name') ?? (textAt(metadata, 'generateName') ?? '').replace(/-+$/, '');
}

/** What a name ends with that a CronJob has given to its Job: minutes since 1970, or the time as digits. */
const OF_CRON_JOB = /^(.+)-(\d{8,10})$/;

/** Who made a pod, and who made that: a ReplicaSet's Deployment, a Job's CronJob. Without an owner, the pod itself. */
export function ownerOfPod(metadata: JsonObject): Owner {
  const own: Owner = { apiVersion: 'v1', kind: 'Pod', name: nameOf(metadata) };
  const references = listAt(metadata, 'ownerReferences');
  const controller = references.find((one) => one['controller'] === true);
  const [apiVersion, kind, name] = ['apiVersion', 'kind', 'name'].map((field) => textAt(controller ?? {}, field));
  if (apiVersion === undefined || kind === undefined || name === undefined) return own;
  const labels: TextMap = textsAt(metadata, 'labels');
  const hash = labels['pod-template-hash'];
  if (kind === 'ReplicaSet' && hash !== undefined && name.endsWith(`-${hash}`))
    return { apiVersion, kind: 'Deployment', name: name.slice(0, -hash.length - 1) };
  const config = labels['deploymentconfig'];
  if (kind === 'ReplicationController' && config !== undefined && name.startsWith(`${config}-`))
    return { apiVersion: 'apps.openshift.io/v1', kind: 'DeploymentConfig', name: config };
  const cron = OF_CRON_JOB.exec(name)?.[1];
  if (kind === 'Job' && cron !== undefined) return { apiVersion, kind: 'CronJob', name: cron };
  return { apiVersion, kind, name };
}

/** The object with other pods in the place of these. */
export function withTemplate(object: JsonObject, path: Found['path'], pod: PodTemplate): JsonObject {
  const [field, ...rest] = path;
  if (field === undefined) return { ...object, metadata: pod.metadata, spec: pod.spec };
  if (field === 'items' && typeof rest[0] === 'number') {
    const [index, ...inner] = rest;
    const items = object['items'];
    if (!Array.isArray(items)) return object;
    return {
      ...object,
      items: items.map((item, at) => (at === index && isObject(item) ? withTemplate(item, inner, pod) : item)),
    };
  }
  return { ...object, [field]: withTemplate(objectAt(object, String(field)), rest, pod) };
}
