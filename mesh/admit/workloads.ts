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

/**
 * Deployments (and what else has a pod template) of one namespace with the Pods they own, and bare Pods. A workload without a Pod has no
 * instance.
 * @param first gives each Deployment without any Pod one made-up instance at 10.0.0.N, so that its proxy can be compiled: the number of the
 * first of them by name
 */
export function workloadsFrom(
  templated: readonly Deployment[],
  pods: readonly Pod[],
  places: Places,
  first: number | undefined,
): readonly Workload[] {
  const owners = new Owners(templated);
  // A Deployment's ReplicaSets, and a CronJob's Jobs, are part of it.
  const deployments = templated.filter((one) => owners.of(one) === undefined);
  const owned = new Map<Deployment, Pod[]>();
  const bare: Pod[] = [];
  for (const pod of pods) {
    const owner = owners.of(pod);
    if (owner === undefined) bare.push(pod);
    else {
      const siblings = owned.get(owner);
      if (siblings === undefined) owned.set(owner, [pod]);
      else siblings.push(pod);
    }
  }
  const numbers =
    first === undefined ? undefined : new Map(deployments.toSorted((a, b) => order(a, b)).map((one, at) => [one, first + at]));
  const taken = new Set<string>();
  const found = deployments.map((deployment) => {
    const own = owned.get(deployment) ?? [];
    const number = own.length === 0 ? numbers?.get(deployment) : undefined;
    const assumed = number === undefined ? undefined : assumedAddress(number);
    return workloadOf(deployment, nameOf(deployment, taken), own, deployment.replicas, places, assumed);
  });
  // A bare Pod of a Deployment's name would be a second workload under one name; the Deployment has it.
  const alone = bare.filter((pod) => !taken.has(`${pod.meta.namespace}/${pod.meta.name}`));
  return [...found, ...alone.map((pod) => workloadOf(pod, pod.meta.name, [pod], 1, places, undefined))];
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
