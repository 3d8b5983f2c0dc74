import { isObject, type Json, type JsonObject, listAt, objectAt, textsAt } from './json.ts';
import { type CaptureBy, DEFAULT_SETTINGS, type InjectionSettings, type LabelSelector } from './settings.ts';

/** The value at a path of fields; undefined where a part of it is missing. */
function at(values: JsonObject, path: string): Json | undefined {
  let value: Json | undefined = values;
  for (const field of path.split('.')) value = isObject(value) ? value[field] : undefined;
  return value === null ? undefined : value;
}

class Values {
  readonly #values: JsonObject;

  constructor(values: JsonObject) {
    this.#values = values;
  }

  /** Numbers and booleans count as their texts: Helm's `--set` makes them of texts. */
  text(path: string, fallback: string): string {
    return this.optional(path) ?? fallback;
  }

  /** As text; the empty text counts as absent. */
  filled(path: string): string | undefined {
    const found = this.optional(path);
    return found === '' ? undefined : found;
  }

  optional(path: string): string | undefined {
    const value = at(this.#values, path);
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
  }

  flag(path: string, fallback: boolean): boolean {
    const value = this.optional(path);
    return value === undefined ? fallback : value === 'true';
  }

  number(path: string, fallback: number): number {
    const value = this.optional(path);
    return value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) : fallback;
  }

  object(path: string): JsonObject | undefined {
    const value = at(this.#values, path);
    return isObject(value) && Object.keys(value).length > 0 ? value : undefined;
  }

  texts(path: string): readonly string[] {
    const value = at(this.#values, path);
    return Array.isArray(value)
      ? value.flatMap((one) =>
          typeof one === 'string' ? [one] : isObject(one) && typeof one['name'] === 'string' ? [one['name']] : [],
        )
      : [];
  }

  objects(path: string): readonly JsonObject[] {
    const value = at(this.#values, path);
    return Array.isArray(value) ? value.filter(isObject) : [];
  }
}

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

/** A label selector; undefined: an operator that Kubernetes does not have. */
export function parseSelector(value: JsonObject): LabelSelector | undefined {
  const matchExpressions = listAt(value, 'matchExpressions').map((one) => ({
    key: typeof one['key'] === 'string' ? one['key'] : '',
    operator: OPERATORS.find((word) => word === one['operator']),
    values: Array.isArray(one['values']) ? one['values'].filter((word) => typeof word === 'string') : [],
  }));
  const known = matchExpressions.flatMap(({ operator, ...rest }) => (operator === undefined ? [] : [{ operator, ...rest }]));
  return known.length === matchExpressions.length
    ? { matchLabels: textsAt(value, 'matchLabels'), matchExpressions: known }
    : undefined;
}

function selectors(list: readonly JsonObject[]): readonly LabelSelector[] {
  return list.flatMap((one) => parseSelector(one) ?? []);
}

/** Resources as Helm merges them: `null` takes a default away. */
function resources(defaults: JsonObject, given: JsonObject | undefined): JsonObject {
  if (given === undefined) return defaults;
  const result: Record<string, Json | undefined> = { ...defaults };
  for (const [list, values] of Object.entries(given)) {
    if (!isObject(values)) {
      delete result[list];
      continue;
    }
    const all = { ...objectAt(defaults, list), ...values };
    result[list] = Object.fromEntries(
      Object.entries(all).flatMap(([name, value]) =>
        typeof value === 'string' || typeof value === 'number' ? [[name, String(value)]] : [],
      ),
    );
  }
  return result;
}

function captureBy(values: Values): CaptureBy {
  const enabled = ['pilot.cni.enabled', 'istio_cni.enabled', 'cni.enabled'].some((path) => values.flag(path, false));
  if (!enabled) return { kind: 'init' };
  const provider = values.optional('pilot.cni.provider') ?? values.optional('cni.provider') ?? 'default';
  return { kind: 'cni', multus: provider === 'multus' };
}

/**
 * Settings from Istio's Helm values (of the chart `istiod`; `global.proxy`, `global.proxy_init`, `sidecarInjectorWebhook`, `pilot.cni`, …): what an existing
 * installation says of its sidecars is said here by the same words. Values that have no meaning here are passed over.
 */
export function settingsOfValues(given: JsonObject, base: InjectionSettings = DEFAULT_SETTINGS): InjectionSettings {
  const values = new Values(given);
  const proxy = 'global.proxy';
  const { traffic, readiness } = base;
  const webhook = 'sidecarInjectorWebhook';
  const revision = values.filled('revision') ?? base.revision;
  const namespace = values.filled('global.istioNamespace');
  const service = revision === 'default' ? 'istiod' : `istiod-${revision}`;
  const computed = namespace === undefined ? base.controlPlane.address : `${service}.${namespace}.svc:15012`;
  const templates = values.object(`${webhook}.templates`);
  const defaults = values.texts(`${webhook}.defaultTemplates`);
  return {
    ...base,
    revision,
    policy: values.flag(`${webhook}.enableNamespacesByDefault`, base.policy === 'enabled') ? 'enabled' : base.policy,
    neverInject: [...base.neverInject, ...selectors(values.objects(`${webhook}.neverInjectSelector`))],
    alwaysInject: [...base.alwaysInject, ...selectors(values.objects(`${webhook}.alwaysInjectSelector`))],
    injectedAnnotations: { ...base.injectedAnnotations, ...textsAt(values.object(webhook) ?? {}, 'injectedAnnotations') },
    defaultTemplates: defaults.length === 0 ? base.defaultTemplates : defaults,
    customTemplates:
      templates === undefined ? base.customTemplates : new Map([...base.customTemplates, ...objectEntries(templates)]),
    rewriteProbes: values.flag(`${webhook}.rewriteAppHTTPProbe`, base.rewriteProbes),
    hub: values.text('global.hub', base.hub),
    tag: values.text('global.tag', base.tag),
    proxyImage: values.text(`${proxy}.image`, base.proxyImage),
    captureImage: values.text('global.proxy_init.image', base.captureImage),
    imagePullPolicy: values.filled('global.imagePullPolicy') ?? base.imagePullPolicy,
    imagePullSecrets: [...base.imagePullSecrets, ...values.texts('global.imagePullSecrets')],
    captureBy: captureBy(values),
    nativeSidecars: values.flag('pilot.env.ENABLE_NATIVE_SIDECARS', base.nativeSidecars),
    holdApplication: values.flag(`${proxy}.holdApplicationUntilProxyStarts`, base.holdApplication),
    controlPlane: { ...base.controlPlane, address: values.filled('global.caAddress') ?? computed },
    clusterDomain: values.text(`${proxy}.clusterDomain`, base.clusterDomain),
    trustDomain: values.filled('global.trustDomain') ?? base.trustDomain,
    meshId: values.filled('global.meshID') ?? base.meshId,
    clusterId: values.filled('global.multiCluster.clusterName') ?? base.clusterId,
    network: values.filled('global.network') ?? base.network,
    traffic: {
      includeIPRanges: values.text(`${proxy}.includeIPRanges`, traffic.includeIPRanges),
      excludeIPRanges: values.text(`${proxy}.excludeIPRanges`, traffic.excludeIPRanges),
      includeInboundPorts: values.text(`${proxy}.includeInboundPorts`, traffic.includeInboundPorts),
      excludeInboundPorts: values.text(`${proxy}.excludeInboundPorts`, traffic.excludeInboundPorts),
      includeOutboundPorts: values.text(`${proxy}.includeOutboundPorts`, traffic.includeOutboundPorts),
      excludeOutboundPorts: values.text(`${proxy}.excludeOutboundPorts`, traffic.excludeOutboundPorts),
    },
    statusPort: values.text(`${proxy}.statusPort`, base.statusPort),
    readiness: {
      initialDelaySeconds: values.number(`${proxy}.readinessInitialDelaySeconds`, readiness.initialDelaySeconds),
      periodSeconds: values.number(`${proxy}.readinessPeriodSeconds`, readiness.periodSeconds),
      failureThreshold: values.number(`${proxy}.readinessFailureThreshold`, readiness.failureThreshold),
    },
    startup: values.flag(`${proxy}.startupProbe.enabled`, base.startup !== undefined)
      ? { failureThreshold: values.number(`${proxy}.startupProbe.failureThreshold`, base.startup?.failureThreshold ?? 600) }
      : undefined,
    proxyLogLevel: values.text(`${proxy}.logLevel`, base.proxyLogLevel),
    componentLogLevel: values.text(`${proxy}.componentLogLevel`, base.componentLogLevel),
    agentLogLevel: (values.filled('global.logging.level') ?? base.agentLogLevel).replace(/^default:/, ''),
    logAsJson: values.flag('global.logAsJson', base.logAsJson),
    privileged: values.flag(`${proxy}.privileged`, base.privileged),
    coreDump: values.flag(`${proxy}.enableCoreDump`, base.coreDump),
    resources: resources(base.resources, values.object(`${proxy}.resources`)),
    lifecycle: values.object(`${proxy}.lifecycle`) ?? base.lifecycle,
    seccompProfile: values.object(`${proxy}.seccompProfile`) ?? base.seccompProfile,
    mountCertificates: values.flag('global.mountMtlsCerts', base.mountCertificates),
  };
}

function objectEntries(value: JsonObject): readonly (readonly [string, JsonObject])[] {
  return Object.entries(value).flatMap(([name, one]) => (isObject(one) ? [[name, one] as const] : []));
}
