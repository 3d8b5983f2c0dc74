import { isDeepStrictEqual } from 'node:util';
import type { Instance, Workload } from '../model/workload.ts';
import type { Deployment, Pod } from './mesh-object.ts';
import { type Places, withPlace } from './places.ts';
import { Owners } from './workload-owners.ts';

interface Made {
  readonly pods: readonly Pod[];
  readonly places: Places;
  readonly assumed: string | undefined;
  readonly workload: Workload;
}

/** Workloads made before, by the object they stand for: one whose inputs did not change keeps its identity. */
const made = new WeakMap<Deployment | Pod, Made>();

/** How many numbers the Deployments of a namespace take. */
export function numbersOf(templated: readonly Deployment[]): number {
  const owners = new Owners(templated);
  return templated.filter((one) => owners.of(one) === undefined).length;
}

/** What has a pod template in one namespace, and under which names it stands: the same as long as none of it changes. */
export interface Roots {
  readonly owners: Owners;
  /** Those that belong to no other. A Deployment's ReplicaSets, and a CronJob's Jobs, are part of it. */
  readonly names: ReadonlyMap<Deployment, string>;
  /** `namespace/name`, by which no bare Pod can stand. */
  readonly taken: ReadonlySet<string>;
}

export function rootsOf(templated: readonly Deployment[]): Roots {
  const owners = new Owners(templated);
  const taken = new Set<string>();
  const roots = templated.filter((one) => owners.of(one) === undefined);
  return { owners, names: new Map(roots.map((one) => [one, nameOf(one, taken)])), taken };
}

/** Pods by what owns them, in order, and those that nothing owns. */
export interface Belonging {
  readonly owned: Map<Deployment, readonly Pod[]>;
  readonly bare: Set<Pod>;
}

export function belongingOf({ owners }: Roots, pods: readonly Pod[]): Belonging {
  const groups = Map.groupBy(pods, (pod) => owners.of(pod));
  const bare = new Set(groups.get(undefined));
  const owned = new Map<Deployment, readonly Pod[]>();
  for (const [owner, own] of groups) if (owner !== undefined) owned.set(owner, own);
  return { owned, bare };
}

/**
 * Workloads of one namespace, by what they are made of: what has a pod template, with the Pods that it owns, and bare Pods. A workload
 * without a Pod has no instance.
 * @param first gives each Deployment without any Pod one made-up instance at 10.0.0.N, so that its proxy can be compiled: the number of the
 * first of them by name
 */
export function workloadsFrom(
  roots: Roots,
  { owned, bare }: Belonging,
  places: Places,
  first: number | undefined,
): Map<Deployment | Pod, Workload> {
  const deployments = [...roots.names.keys()];
  const numbers =
    first === undefined ? undefined : new Map(deployments.toSorted((a, b) => order(a, b)).map((one, at) => [one, first + at]));
  const made = new Map<Deployment | Pod, Workload>();
  for (const deployment of deployments) {
    const own = owned.get(deployment) ?? [];
    const number = own.length === 0 ? numbers?.get(deployment) : undefined;
    made.set(deployment, deploymentWorkload(roots, deployment, own, places, number));
  }
  for (const pod of bare) {
    const workload = podWorkload(roots, pod, places);
    if (workload !== undefined) made.set(pod, workload);
  }
  return made;
}

export function deploymentWorkload(
  { names }: Roots,
  deployment: Deployment,
  own: readonly Pod[],
  places: Places,
  number?: number,
): Workload {
  const assumed = number === undefined ? undefined : assumedAddress(number);
  return workloadOf(deployment, names.get(deployment) ?? deployment.meta.name, own, deployment.replicas, places, assumed);
}

/** A bare Pod of a Deployment's name would be a second workload under one name; the Deployment has it. */
export function podWorkload({ taken }: Roots, pod: Pod, places: Places): Workload | undefined {
  if (taken.has(`${pod.meta.namespace}/${pod.meta.name}`)) return undefined;
  return workloadOf(pod, pod.meta.name, [pod], 1, places, undefined);
}

/** Objects of different kinds may have one name; then the kind tells the later ones apart: `web`, `web.statefulset`. */
function nameOf({ meta }: Deployment, taken: Set<string>): string {
  const free = !taken.has(`${meta.namespace}/${meta.name}`);
  const name = free ? meta.name : `${meta.name}.${meta.kind.toLowerCase()}`;
  taken.add(`${meta.namespace}/${name}`);
  return name;
}

function order(a: Deployment, b: Deployment): number {
  const [one, other] = [`${a.meta.namespace}/${a.meta.name}`, `${b.meta.namespace}/${b.meta.name}`];
  return one < other ? -1 : one > other ? 1 : 0;
}

function assumedAddress(index: number): string {
  const at = index + 1;
  return `10.${(at >>> 16) & 255}.${(at >>> 8) & 255}.${at & 255}`;
}

function workloadOf(
  source: Deployment | Pod,
  name: string,
  pods: readonly Pod[],
  replicas: number,
  places: Places,
  assumed: string | undefined,
): Workload {
  const before = made.get(source);
  if (
    before?.places === places &&
    before.workload.name === name &&
    before.assumed === assumed &&
    before.pods.length === pods.length &&
    before.pods.every((pod, at) => pod === pods[at])
  )
    return before.workload;
  const instances: Instance[] = pods.flatMap((pod) => (pod.instance === undefined ? [] : [withPlace(pod.instance, places)]));
  if (assumed !== undefined) {
    instances.push({
      name: `${source.meta.name}-0`,
      address: assumed,
      labels: source.labels,
      ready: true,
      meshed: true,
      capture: { kind: 'redirect' },
      bindAddress: '0.0.0.0',
    });
  }
  const { meta, serviceAccount, labels, annotations, numTrustedProxies, probes, hasProxy, ports, image } = source;
  const workload: Workload = Object.freeze({
    meta,
    namespace: meta.namespace,
    name,
    serviceAccount,
    labels,
    annotations,
    ...(numTrustedProxies === undefined ? {} : { numTrustedProxies }),
    probes,
    hasProxy,
    ports,
    image,
    replicas,
    instances: Object.freeze(instances),
  });
  // Pods and places that changed in what does not concern the workload leave it as it is.
  const kept = before !== undefined && isDeepStrictEqual(before.workload, workload) ? before.workload : workload;
  made.set(source, { pods, places, assumed, workload: kept });
  return kept;
}
