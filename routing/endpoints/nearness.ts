import type { Endpoint } from '../../mesh/model/endpoints.ts';
import type { Locality, LocalityBalancing } from '../../mesh/model/load-balancer.ts';
import type { Labels } from '../../mesh/model/object.ts';

const NOWHERE: Locality = Object.freeze({ region: '', zone: '', subzone: '' });

export function localityOf({ locality }: { readonly locality?: Locality | undefined }): Locality {
  return locality ?? NOWHERE;
}

/** `region/zone/subzone`. */
export function localityName({ region, zone, subzone }: Locality): string {
  return `${region}/${zone}/${subzone}`;
}

/** A pattern is `region/zone/subzone`; a part that is `*` or left out stands for any. */
export function inLocality({ region, zone, subzone }: Locality, pattern: string): boolean {
  const [inRegion = '', inZone = '', inSubzone = ''] = pattern.split('/');
  const any = (wanted: string, actual: string) => wanted === '*' || wanted === '' || wanted === actual;
  return (inRegion === '*' || inRegion === region) && any(inZone, zone) && any(inSubzone, subzone);
}

/** 0 in the same sub-zone, 1 in the same zone, 2 in the same region, 3 in the region that takes over, 4 elsewhere; 3 elsewhere where no region does. */
function byPlace(caller: Locality, endpoint: Locality, failover: LocalityBalancing['failover']): number {
  if (caller.region === endpoint.region) {
    if (caller.zone !== endpoint.zone) return 2;
    return caller.subzone === endpoint.subzone ? 0 : 1;
  }
  const takesOver = failover.find(({ from }) => from === caller.region);
  return takesOver === undefined || takesOver.to === endpoint.region ? 3 : 4;
}

/** How many of the labels, from the first on, do not agree with the caller's. A label may name the value that is wanted. */
function byLabels(wanted: readonly string[], caller: Labels, endpoint: Labels): number {
  let agreed = 0;
  for (const one of wanted) {
    const [name = '', ...value] = one.split('=');
    const expected = value.length > 0 ? value.join('=') : caller[name];
    if (expected === undefined || endpoint[name] !== expected) break;
    agreed += 1;
  }
  return wanted.length - agreed;
}

/** Kubernetes's names for where a pod runs, under which `failoverPriority` asks for it. */
function withPlace(labels: Labels, { region, zone, subzone }: Locality): Labels {
  return {
    ...(region === '' ? {} : { 'topology.kubernetes.io/region': region }),
    ...(zone === '' ? {} : { 'topology.kubernetes.io/zone': zone }),
    ...(subzone === '' ? {} : { 'topology.istio.io/subzone': subzone }),
    ...labels,
  };
}

export interface Caller {
  readonly locality: Locality;
  readonly labels: Labels;
}

/** Endpoints by how near they are, the nearest first: Envoy goes on to the next group when the hosts of one fail. */
export function nearestFirst(
  endpoints: readonly Endpoint[],
  { locality, labels }: Caller,
  { failover, failoverPriority }: LocalityBalancing,
): readonly (readonly Endpoint[])[] {
  const own = withPlace(labels, locality);
  const rank = (endpoint: Endpoint): number => {
    const place = localityOf(endpoint);
    if (failoverPriority.length === 0) return byPlace(locality, place, failover);
    const steps = failover.length === 0 ? 1 : 5;
    const within = failover.length === 0 ? 0 : byPlace(locality, place, failover);
    return byLabels(failoverPriority, own, withPlace(endpoint.labels, place)) * steps + within;
  };
  const groups = Map.groupBy(endpoints, rank);
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

export interface Share {
  readonly endpoints: readonly Endpoint[];
  readonly weight: number;
}

/**
 * The shares that localities get from one caller; undefined when no rule speaks of the caller. A pattern's share is split over its
 * localities by their endpoints. Localities that no pattern names get nothing.
 */
export function shares(
  endpoints: readonly Endpoint[],
  caller: Locality,
  distribute: LocalityBalancing['distribute'],
): readonly Share[] | undefined {
  const rule = distribute.find(({ from }) => inLocality(caller, from));
  if (rule === undefined) return undefined;
  const left = new Map([...Map.groupBy(endpoints, (endpoint) => localityName(localityOf(endpoint)))]);
  const found: Share[] = [];
  for (const [pattern, share] of Object.entries(rule.to)) {
    const groups = [...left].filter(([, [first]]) => first !== undefined && inLocality(localityOf(first), pattern));
    const sizeOf = (group: readonly Endpoint[]) => group.reduce((all, { weight }) => all + weight, 0);
    const all = groups.reduce((sum, [, group]) => sum + sizeOf(group), 0);
    for (const [name, group] of groups) {
      left.delete(name);
      found.push({ endpoints: group, weight: Math.max(1, Math.round((share * sizeOf(group)) / all)) });
    }
  }
  return found;
}
