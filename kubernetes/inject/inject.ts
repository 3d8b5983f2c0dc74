import { annotationProblem } from './annotations.ts';
import { type Context, contextOf, type Owner, statusPort } from './context.ts';
import { isObject, type JsonObject, listAt, objectAt, textAt, type TextMap } from './json.ts';
import { merged } from './merge.ts';
import { ordered } from './order.ts';
import {
  annotationsOf,
  type Container,
  containersOf,
  type ContainerList,
  type PodTemplate,
  PROXY,
  shapeProblem,
  withAnnotations,
  withSpec,
} from './pod.ts';
import { rewriteProbes } from './probes.ts';
import { mergeMetrics } from './prometheus.ts';
import { mergedProxyConfig, podProxyConfig } from './proxy-config.ts';
import { proxyUserOf } from './proxy-user.ts';
import type { InjectionSettings } from './settings.ts';
import { OVERRIDES, STATUS, statusText, withoutInjection } from './status.ts';
import { type Fragment, fragmentOf } from './templates.ts';

export interface InjectionRequest {
  readonly pod: PodTemplate;
  readonly owner: Owner;
  readonly namespace: string;
  readonly namespaceAnnotations: TextMap;
  /** Variables that the webhook's URL gives. */
  readonly environment: TextMap;
}

export type Injection = { readonly ok: true; readonly pod: PodTemplate } | { readonly ok: false; readonly reason: string };

const LISTS: readonly ContainerList[] = ['containers', 'initContainers'];

/**
 * The pod with a proxy in it. Pure: what it makes depends on its arguments alone, and made twice it is the same. Whether the pod is to have one is
 * decided before, see decide.ts.
 */
export function inject(request: InjectionRequest, settings: InjectionSettings): Injection {
  const shape = shapeProblem(request.pod);
  if (shape !== undefined) return { ok: false, reason: shape };
  const metricsPort = metricsPortOf(settings);
  const pod = withoutInjection(request.pod, metricsPort);
  const annotations = annotationsOf(pod);
  const problem = annotationProblem(annotations);
  if (problem !== undefined) return { ok: false, reason: problem };
  const own = podProxyConfig(annotations);
  if (!own.ok) return own;
  const proxyConfig = mergedProxyConfig(settings.proxyConfig, own.value);
  const native = annotations['sidecar.istio.io/nativeSidecar'];
  const { holdApplicationUntilProxyStarts: hold } = proxyConfig;
  const context = contextOf({
    settings,
    pod,
    proxyConfig,
    owner: request.owner,
    namespace: request.namespace,
    environment: request.environment,
    proxyUser: proxyUserOf(request.namespaceAnnotations),
    native: native === undefined ? settings.nativeSidecars : native === 'true',
    hold: typeof hold === 'boolean' ? hold : settings.holdApplication,
  });
  const applied = fragmentOf(context);
  if (!applied.ok) return applied;
  return { ok: true, pod: finished(context, applied.value.fragment, metricsPort) };
}

function finished(context: Context, fragment: Fragment, metricsPort: string): PodTemplate {
  const { pod, settings, hold } = context;
  const { result, overrides } = overlaid(pod, fragment);
  const names = (field: string): readonly string[] =>
    listAt(objectAt(fragment, 'spec'), field).map((one) => textAt(one, 'name') ?? '');
  const annotated = withAnnotations(result, {
    ...settings.injectedAnnotations,
    ...(Object.keys(overrides).length === 0 ? {} : { [OVERRIDES]: JSON.stringify(overrides) }),
    [STATUS]: statusText({
      initContainers: names('initContainers'),
      containers: names('containers'),
      volumes: names('volumes'),
      imagePullSecrets: names('imagePullSecrets'),
      revision: settings.revision,
    }),
  });
  const placed = withSpec(annotated, ordered(annotated.spec, hold));
  if (!LISTS.some((list) => names(list).includes(PROXY))) return placed;
  const scraped = settings.mergePrometheus ? mergeMetrics(placed, metricsPort) : { pod: placed, own: undefined };
  const port = Number(statusPort(context));
  const rewrites = context.annotations['sidecar.istio.io/rewriteAppHTTPProbers'] ?? String(settings.rewriteProbes);
  const probed = rewrites === 'true' && port > 0 ? rewriteProbes(scraped.pod, port) : { pod: scraped.pod, probers: {} };
  const variables: JsonObject = {
    ...(scraped.own === undefined ? {} : { ISTIO_PROMETHEUS_ANNOTATIONS: scraped.own }),
    ...(Object.keys(probed.probers).length === 0 ? {} : { ISTIO_KUBE_APP_PROBERS: probed.probers }),
  };
  return withVariables(probed.pod, variables);
}

interface Overlaid {
  readonly result: PodTemplate;
  /** Containers that the pod's author had written under names of ours: they count for more. */
  readonly overrides: JsonObject;
}

function overlaid(pod: PodTemplate, fragment: Fragment): Overlaid {
  const spec = objectAt(fragment, 'spec');
  const own = [...containersOf(pod), ...containersOf(pod, 'initContainers')];
  const overrides: Record<string, readonly JsonObject[]> = {};
  const added: Record<string, readonly JsonObject[]> = {};
  for (const list of LISTS) {
    const containers = listAt(spec, list);
    if (containers.length === 0) continue;
    added[list] = containers.map((container) => {
      const written = own.find(({ name }) => name === container['name']);
      if (written === undefined) return container;
      const overlay = withoutAuto(written);
      overrides[list] = [...(overrides[list] ?? []), overlay];
      return merged(container, overlay);
    });
  }
  const names = new Set(LISTS.flatMap((list) => (added[list] ?? []).map((one) => one['name'])));
  const kept = (list: ContainerList): readonly JsonObject[] => containersOf(pod, list).filter(({ name }) => !names.has(name));
  const lists = Object.fromEntries(
    LISTS.map((list) => [list, [...kept(list), ...(added[list] ?? [])]] as const).filter(
      ([list, all]) => all.length > 0 || list === 'containers',
    ),
  );
  const volumes = mergedVolumes(listAt(spec, 'volumes'), listAt(pod.spec, 'volumes'));
  const { containers: _containers, initContainers: _init, volumes: _volumes, ...rest } = spec;
  const base = withSpec(pod, { initContainers: undefined });
  const result = {
    ...withSpec(base, { ...merged(base.spec, rest), ...lists, ...(volumes.length === 0 ? {} : { volumes }) }),
    metadata: merged(pod.metadata, objectAt(fragment, 'metadata')),
  };
  return { result, overrides };
}

/** `image: auto` stands for the proxy's own image. */
function withoutAuto(container: Container): JsonObject {
  const { image, ...rest } = container;
  return image === 'auto' || image === undefined ? rest : container;
}

function mergedVolumes(ours: readonly JsonObject[], theirs: readonly JsonObject[]): readonly JsonObject[] {
  const names = new Set(ours.map((one) => one['name']));
  return [...ours, ...theirs.filter((one) => !names.has(one['name']))];
}

/** Puts variables, as JSON, into the proxy's container. */
function withVariables(pod: PodTemplate, variables: JsonObject): PodTemplate {
  const entries = Object.entries(variables).map(([name, value]) => ({ name, value: JSON.stringify(value) }));
  if (entries.length === 0) return pod;
  const lists = LISTS.flatMap((list) => {
    const containers = containersOf(pod, list);
    if (!containers.some(({ name }) => name === PROXY)) return [];
    return [
      [list, containers.map((one) => (one.name === PROXY ? { ...one, env: [...listAt(one, 'env'), ...entries] } : one))] as const,
    ];
  });
  return withSpec(pod, Object.fromEntries(lists));
}

/** Fields that are absent rather than undefined, as JSON has them. */
export function asJson(pod: PodTemplate): PodTemplate {
  const strip = (value: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(value).flatMap(([field, one]) => (one === undefined ? [] : [[field, isObject(one) ? strip(one) : one]])),
    );
  return { ...pod, metadata: strip(pod.metadata), spec: strip(pod.spec) };
}

function metricsPortOf({ proxyConfig }: InjectionSettings): string {
  const port = proxyConfig['statusPort'];
  return typeof port === 'number' ? String(port) : '15020';
}
