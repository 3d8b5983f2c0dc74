import { isObject, type Json, type JsonObject, listAt, objectAt, textAt, type TextMap, textsAt } from './json.ts';

/** A Pod, or the template of one: its metadata and spec. Other fields of the object around it are not touched. */
export interface PodTemplate {
  readonly metadata: JsonObject;
  readonly spec: JsonObject;
}

export type Container = JsonObject & { readonly name: string };

/** The proxy's container. Istio's name, so that manifests, scripts and dashboards that name it go on working. */
export const PROXY = 'istio-proxy';
/** The container that sets up the capture of traffic, and the one that checks what a CNI plugin set up. */
export const CAPTURE = 'istio-init';
export const VALIDATION = 'istio-validation';
export const CORE_DUMP = 'enable-core-dump';

export function annotationsOf(pod: PodTemplate): TextMap {
  return textsAt(pod.metadata, 'annotations');
}

export function labelsOf(pod: PodTemplate): TextMap {
  return textsAt(pod.metadata, 'labels');
}

export type ContainerList = 'containers' | 'initContainers';

export function containersOf(pod: PodTemplate, list: ContainerList = 'containers'): readonly Container[] {
  return listAt(pod.spec, list).filter((one): one is Container => typeof one['name'] === 'string');
}

export function withMetadata(pod: PodTemplate, metadata: JsonObject): PodTemplate {
  return { ...pod, metadata: { ...pod.metadata, ...metadata } };
}

export function withSpec(pod: PodTemplate, spec: JsonObject): PodTemplate {
  return { ...pod, spec: { ...pod.spec, ...spec } };
}

/** Changes annotations; undefined takes one away. */
export function withAnnotations(pod: PodTemplate, changes: Readonly<Record<string, string | undefined>>): PodTemplate {
  const all = { ...objectAt(pod.metadata, 'annotations'), ...changes };
  return withMetadata(pod, { annotations: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) });
}

function isTextMap(value: Json | undefined): boolean {
  return (
    value === undefined || value === null || (isObject(value) && Object.values(value).every((one) => typeof one === 'string'))
  );
}

function isListOfNamed(value: Json | undefined): boolean {
  return (
    value === undefined ||
    value === null ||
    (Array.isArray(value) && value.every((one) => isObject(one) && textAt(one, 'name') !== undefined))
  );
}

/** What of a pod's shape would be lost or misread; undefined: it can be worked on. */
export function shapeProblem(pod: PodTemplate): string | undefined {
  for (const field of ['labels', 'annotations']) {
    if (!isTextMap(pod.metadata[field])) return `metadata.${field} is to be a mapping of texts (numbers and booleans in quotes)`;
  }
  for (const field of ['containers', 'initContainers', 'volumes', 'imagePullSecrets']) {
    if (!isListOfNamed(pod.spec[field])) return `spec.${field} is to be a list of mappings with a name`;
  }
  return undefined;
}
