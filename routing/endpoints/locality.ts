import type { DestinationRule } from '../../mesh/model/destination-rule.ts';
import { workloadsOf } from '../../mesh/model/endpoints.ts';
import type { Locality, LocalityBalancing } from '../../mesh/model/load-balancer.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import type { PortPolicy } from '../clusters/traffic-policy.ts';
import type { Scope } from '../scope.ts';
import { inLocality, localityName, localityOf } from './nearness.ts';

/** Istio's default: on, and near endpoints first, wherever outlier detection can tell that they fail. */
const BY_DEFAULT: LocalityBalancing = Object.freeze({ enabled: true, distribute: [], failover: [], failoverPriority: [] });

/** What holds for a destination; undefined when it is turned off. A DestinationRule's word replaces that of the mesh. */
export function balancing({ snapshot }: Scope, policy: PortPolicy): LocalityBalancing | undefined {
  const found = policy.loadBalancer?.locality ?? snapshot.meshConfig.localityLb ?? BY_DEFAULT;
  return found.enabled ? found : undefined;
}

export function callerLocality({ proxy }: Scope): Locality {
  return localityOf(proxy.instance);
}

/** True when localities have weights toward this caller: Envoy then sends nothing to one without. */
export function weighsLocalities(scope: Scope, policy: PortPolicy): boolean {
  const caller = callerLocality(scope);
  return balancing(scope, policy)?.distribute.some(({ from }) => inLocality(caller, from)) ?? false;
}

const placedWorkloads = new WeakMap<readonly Workload[], boolean>();

/** Asked for every service of every proxy, and answered once for the same workloads. */
function anyPlaced(workloads: readonly Workload[]): boolean {
  const known = placedWorkloads.get(workloads);
  if (known !== undefined) return known;
  const found = workloads.some(({ instances }) => instances.some(({ locality }) => locality !== undefined));
  placedWorkloads.set(workloads, found);
  return found;
}

/**
 * What of the caller its endpoints of a service depend on, for {@link Kept}: nothing where no endpoint has a place and no rule asks for
 * labels, so that all callers share them.
 */
export function nearness(scope: Scope, service: Service, rules: readonly DestinationRule[]): readonly string[] {
  const labels = rules.length === 0 && scope.snapshot.meshConfig.localityLb === undefined ? NONE : priorityLabels(scope, rules);
  const placed =
    labels.size > 0 ||
    service.endpoints.some(({ locality }) => locality !== undefined) ||
    service.sliced?.some(({ locality }) => locality !== undefined) === true ||
    anyPlaced(workloadsOf(scope.snapshot, service));
  if (!placed) return [];
  return [localityName(callerLocality(scope)), ...[...labels].map((name) => scope.proxy.instance.labels[name] ?? '')];
}

const NONE: ReadonlySet<string> = new Set();

/** The labels by which rules, or the mesh, say who is near. */
function priorityLabels(scope: Scope, rules: readonly DestinationRule[]): ReadonlySet<string> {
  const settings = [
    scope.snapshot.meshConfig.localityLb,
    ...rules.flatMap(({ trafficPolicy, subsets }) =>
      [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)].flatMap((policy) => [
        policy?.loadBalancer?.locality,
        ...[...(policy?.portLevel.values() ?? [])].map((level) => level.loadBalancer?.locality),
      ]),
    ),
  ];
  return new Set(settings.flatMap((one) => one?.failoverPriority ?? []).map((one) => one.split('=')[0] ?? ''));
}
