import { isObject, type JsonObject, textAt, type TextMap } from './json.ts';
import { annotationsOf, type Container, containersOf, labelsOf, PROXY, type PodTemplate } from './pod.ts';
import type { InjectionSettings } from './settings.ts';

/** Who owns the pods: the object whose template it is, or that made the pod. */
export interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

/** Everything that the containers of a proxy depend on. */
export interface Context {
  readonly settings: InjectionSettings;
  readonly owner: Owner;
  readonly namespace: string;
  /** The pod before injection, without what an earlier one added. */
  readonly pod: PodTemplate;
  readonly labels: TextMap;
  readonly annotations: TextMap;
  /** Istio's ProxyConfig: the mesh's and the pod's together. */
  readonly proxyConfig: JsonObject;
  readonly proxyUser: number;
  /** Variables that the webhook's URL gives. */
  readonly environment: TextMap;
  readonly native: boolean;
  readonly hold: boolean;
}

export function contextOf(given: Omit<Context, 'labels' | 'annotations'>): Context {
  return { ...given, labels: labelsOf(given.pod), annotations: annotationsOf(given.pod) };
}

/** The annotation where it is there, even empty; else what the installation says. */
export function annotated(context: Context, name: string, fallback: string): string {
  return context.annotations[name] ?? fallback;
}

/** The containers of the application. */
export function applicationContainers({ pod }: Context): readonly Container[] {
  return containersOf(pod).filter(({ name }) => name !== PROXY);
}

export function interceptionMode({ annotations, proxyConfig }: Pick<Context, 'annotations' | 'proxyConfig'>): string {
  const own = proxyConfig['interceptionMode'];
  return annotations['sidecar.istio.io/interceptionMode'] ?? (typeof own === 'string' ? own : 'REDIRECT');
}

/** Where the agent answers for itself and for rewritten probes; `0`: nowhere. */
export function statusPort(context: Context): string {
  return annotated(context, 'status.sidecar.istio.io/port', context.settings.statusPort);
}

/** `sidecar` and the network of the pod: its label, else the URL of the webhook, else the installation. */
export function networkOf({ labels, environment, settings }: Context): string | undefined {
  return labels['topology.istio.io/network'] ?? environment['ISTIO_META_NETWORK'] ?? settings.network;
}

const IMAGE_TYPES = ['distroless', 'debug'];

/** A reference, or HUB/NAME:TAG with the kind of image (`sidecar.istio.io/proxyImageType`, `image.imageType`) behind the tag. */
export function proxyImage(context: Context): string {
  const { settings, annotations, proxyConfig } = context;
  const image = annotations['sidecar.istio.io/proxyImage'] ?? settings.proxyImage;
  const given = proxyConfig['image'];
  const ofConfig = isObject(given) ? textAt(given, 'imageType') : undefined;
  const type = annotations['sidecar.istio.io/proxyImageType'] ?? ofConfig ?? '';
  return reference(settings, image, type);
}

export function captureImage({ settings }: Context): string {
  return reference(settings, settings.captureImage, '');
}

function reference({ hub, tag }: InjectionSettings, image: string, type: string): string {
  if (image.includes('/')) return image;
  if (type === '') return `${hub}/${image}:${tag}`;
  const known = IMAGE_TYPES.find((one) => tag.endsWith(`-${one}`));
  const bare = known === undefined ? tag : tag.slice(0, -known.length - 1);
  return `${hub}/${image}:${type === 'default' ? bare : `${bare}-${type}`}`;
}

const RESOURCES: readonly (readonly [annotation: string, list: string, resource: string])[] = Object.freeze([
  ['sidecar.istio.io/proxyCPU', 'requests', 'cpu'],
  ['sidecar.istio.io/proxyMemory', 'requests', 'memory'],
  ['sidecar.istio.io/proxyCPULimit', 'limits', 'cpu'],
  ['sidecar.istio.io/proxyMemoryLimit', 'limits', 'memory'],
]);

/** What the pod asks for by annotation, and then only that; else what the installation says. */
export function resourcesOf({ annotations, settings }: Context): JsonObject {
  const result: Record<string, Record<string, string>> = {};
  for (const [annotation, list, resource] of RESOURCES) {
    const value = annotations[annotation];
    if (value !== undefined) result[list] = { ...result[list], [resource]: value };
  }
  return Object.keys(result).length === 0 ? settings.resources : result;
}
