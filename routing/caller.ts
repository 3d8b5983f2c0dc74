import type { DestinationRule } from '../mesh/model/destination-rule.ts';
import { indexedBy } from '../mesh/model/indexed-by.ts';
import type { MeshConfig } from '../mesh/model/mesh-config.ts';
import type { Proxy } from '../mesh/model/proxy.ts';
import type { Service } from '../mesh/model/service.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { VirtualService } from '../mesh/model/virtual-service.ts';
import { familiesOf } from '../mesh/model/families.ts';
import type { Instance, Workload } from '../mesh/model/workload.ts';
import type { Hostname } from '../mesh/model/hostname.ts';
import { virtualServices } from './delegates.ts';
import { localityName, localityOf } from './endpoints/nearness.ts';
import { gatewayLabels } from './clusters/gateway-key-pair.ts';

/** What a VirtualService's routes depend on beside itself. */
export interface Asked {
  /** Where it may lead. */
  readonly hosts: readonly Hostname[];
  /** The caller's labels by which its matches choose, and whether they choose by its namespace. */
  readonly labels: readonly string[];
  readonly namespace: boolean;
}

const asked = new WeakMap<VirtualService, Asked>();

export function askedBy(virtual: VirtualService): Asked {
  const known = asked.get(virtual);
  if (known !== undefined) return known;
  const { http, tls, tcp } = virtual;
  const matches = [...http, ...tls, ...tcp].flatMap(
    ({ match }): readonly Pick<(typeof match)[number], 'sourceLabels' | 'sourceNamespace'>[] => match,
  );
  const hosts = [
    ...http.flatMap(({ action, mirrors }) => [...(action.kind === 'route' ? action.destinations : []), ...mirrors]),
    ...[...tls, ...tcp].flatMap(({ destinations }) => destinations),
  ].map(({ destination }) => destination.host);
  const made: Asked = {
    hosts: [...new Set(hosts)],
    labels: [...new Set(matches.flatMap(({ sourceLabels }) => Object.keys(sourceLabels)))].sort(),
    namespace: matches.some(({ sourceNamespace }) => sourceNamespace !== undefined),
  };
  asked.set(virtual, made);
  return made;
}

function priorities({ trafficPolicy, subsets }: DestinationRule): readonly string[] {
  return [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)].flatMap((policy) => [
    ...(policy?.loadBalancer?.locality?.failoverPriority ?? []),
    ...[...(policy?.portLevel.values() ?? [])].flatMap((level) => level.loadBalancer?.locality?.failoverPriority ?? []),
  ]);
}

/** The label of `name=value` and of `name`. */
const nameOf = (priority: string): string => priority.split('=')[0] ?? '';

const ONE = 'one';
const askingVirtuals = indexedBy<VirtualService>((virtual) => (askedBy(virtual).labels.length > 0 ? [ONE] : []));
const askingRules = indexedBy<DestinationRule>((rule) =>
  rule.workloadSelector !== undefined || priorities(rule).length > 0 || gatewayLabels(rule).length > 0 ? [ONE] : [],
);
const placedWorkloads = indexedBy<Workload>(({ instances }) =>
  instances.some(({ locality }) => locality !== undefined) ? [ONE] : [],
);
const placedServices = indexedBy<Service>(({ endpoints, sliced }) =>
  endpoints.some(({ locality }) => locality !== undefined) || sliced?.some(({ locality }) => locality !== undefined) === true
    ? [ONE]
    : [],
);

/** What tells callers of one namespace apart; equal objects are the same one. */
export interface Aspects {
  readonly labels: readonly string[];
  readonly place: boolean;
}

interface From {
  readonly virtuals: readonly VirtualService[];
  readonly rules: readonly DestinationRule[];
  readonly mesh: MeshConfig;
  readonly aspects: Aspects;
}

let last: From | undefined;

function labelsAsked(snapshot: Snapshot): readonly string[] {
  const virtuals = askingVirtuals(virtualServices(snapshot), ONE);
  const rules = askingRules(snapshot.destinationRules, ONE);
  const mesh = snapshot.meshConfig;
  if (last?.virtuals === virtuals && last.rules === rules && last.mesh === mesh) return last.aspects.labels;
  const labels = [
    ...virtuals.flatMap((virtual) => askedBy(virtual).labels),
    ...rules.flatMap((rule) => [
      ...Object.keys(rule.workloadSelector ?? {}),
      ...priorities(rule).map(nameOf),
      ...gatewayLabels(rule),
    ]),
    ...(mesh.localityLb?.failoverPriority ?? []).map(nameOf),
  ];
  last = { virtuals, rules, mesh, aspects: { labels: [...new Set(labels)].sort(), place: false } };
  return last.aspects.labels;
}

/** How an instance gets its traffic, and over which families: proxies that differ in it are configured differently. */
export function captureOf(instance: Instance): string {
  const families = familiesOf(instance);
  return families === 'IPv4' ? instance.capture.kind : `${instance.capture.kind} ${families}`;
}

/**
 * What of a caller its configuration depends on beside its namespace, as a key: the labels that some VirtualService or DestinationRule asks
 * about, and where it is, if anything has a place. In all else proxies of one namespace are alike.
 */
export function callerKey(snapshot: Snapshot, { instance }: Proxy): string {
  const labels = labelsAsked(snapshot).map((name) => [name, instance.labels[name] ?? null]);
  const placed = placedWorkloads(snapshot.workloads, ONE).length > 0 || placedServices(snapshot.services, ONE).length > 0;
  return JSON.stringify([captureOf(instance), placed || labels.length > 0 ? localityName(localityOf(instance)) : '', labels]);
}
