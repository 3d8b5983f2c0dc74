import { isObject, type JsonObject, listAt, textAt } from './json.ts';
import {
  annotationsOf,
  type Container,
  containersOf,
  type ContainerList,
  type PodTemplate,
  PROXY,
  withAnnotations,
  withSpec,
} from './pod.ts';
import { restoreProbes } from './probes.ts';
import { restoreMetrics } from './prometheus.ts';

export const STATUS = 'sidecar.istio.io/status';
export const OVERRIDES = 'proxy.istio.io/overrides';

/** What an injection added, as its annotation lists it. */
export interface Injected {
  readonly initContainers: readonly string[];
  readonly containers: readonly string[];
  readonly volumes: readonly string[];
  readonly imagePullSecrets: readonly string[];
  readonly revision: string;
}

export function statusText(injected: Injected): string {
  const list = (names: readonly string[]): readonly string[] | null => (names.length === 0 ? null : names);
  return JSON.stringify({
    initContainers: list(injected.initContainers),
    containers: list(injected.containers),
    volumes: list(injected.volumes),
    imagePullSecrets: list(injected.imagePullSecrets),
    revision: injected.revision,
  });
}

function parseStatus(text: string): Injected | undefined {
  const value = json(text);
  if (!isObject(value)) return undefined;
  const names = (field: string): readonly string[] => {
    const list = value[field];
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
  };
  return {
    initContainers: names('initContainers'),
    containers: names('containers'),
    volumes: names('volumes'),
    imagePullSecrets: names('imagePullSecrets'),
    revision: textAt(value, 'revision') ?? '',
  };
}

function json(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The pod as it was before an earlier injection, so that injecting twice is injecting once; one that never was injected stays as it is. */
export function withoutInjection(pod: PodTemplate, metricsPort: string): PodTemplate {
  const annotations = annotationsOf(pod);
  const status = annotations[STATUS] === undefined ? undefined : parseStatus(annotations[STATUS]);
  if (status === undefined) return pod;
  const proxy = [...containersOf(pod), ...containersOf(pod, 'initContainers')].find(({ name }) => name === PROXY);
  const variable = (name: string): unknown =>
    json(textAt(listAt(proxy ?? {}, 'env').find((one) => one['name'] === name) ?? {}, 'value'));
  const overridden = overrides(annotations[OVERRIDES]);
  const kept = (list: ContainerList): readonly Container[] =>
    containersOf(pod, list).filter(({ name }) => !status[list].includes(name));
  const without = (field: 'volumes' | 'imagePullSecrets'): readonly JsonObject[] =>
    listAt(pod.spec, field).filter((one) => !status[field].includes(textAt(one, 'name') ?? ''));
  const names = new Set(kept('containers').map(({ name }) => name));
  const restored = [...kept('containers'), ...overridden.filter(({ name }) => !names.has(name))];
  const lists: JsonObject = {
    containers: restored,
    ...nonEmpty(pod, 'initContainers', kept('initContainers')),
    ...nonEmpty(pod, 'volumes', without('volumes')),
    ...nonEmpty(pod, 'imagePullSecrets', without('imagePullSecrets')),
  };
  const probers = variable('ISTIO_KUBE_APP_PROBERS');
  const cleaned = withAnnotations(withSpec(pod, lists), {
    [STATUS]: undefined,
    [OVERRIDES]: undefined,
    'istio.io/rev': undefined,
  });
  const probed = isObject(probers)
    ? restoreProbes(
        cleaned,
        Object.fromEntries(Object.entries(probers).flatMap(([path, one]) => (isObject(one) ? [[path, one]] : []))),
      )
    : cleaned;
  const scraped = variable('ISTIO_PROMETHEUS_ANNOTATIONS');
  return restoreMetrics(probed, metricsPort, isObject(scraped) ? scraped : undefined);
}

function nonEmpty(pod: PodTemplate, field: string, list: readonly JsonObject[]): JsonObject {
  return pod.spec[field] === undefined ? {} : { [field]: list.length === 0 ? undefined : list };
}

/** Containers that the pod's author had written themselves, under a name of ours. */
function overrides(text: string | undefined): readonly Container[] {
  const value = json(text);
  if (!isObject(value)) return [];
  return [...listAt(value, 'containers'), ...listAt(value, 'initContainers')].filter(
    (one): one is Container => typeof one['name'] === 'string',
  );
}
