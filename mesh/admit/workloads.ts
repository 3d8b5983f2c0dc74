import type { Instance, Workload } from '../model/workload.ts';
import type { Deployment, Pod } from './mesh-object.ts';

interface Made {
  readonly pods: readonly Pod[];
  readonly assumed: string | undefined;
  readonly workload: Workload;
}

/** Workloads made before, by the object they stand for: one whose inputs did not change keeps its identity. */
const made = new WeakMap<Deployment | Pod, Made>();

/**
 * Deployments with the Pods they own, and bare Pods. A workload without a Pod has no instance.
 * @param assumePods gives each Deployment without any Pod one made-up instance at 10.0.0.N, so that its proxy can be compiled
 */
export function workloadsFrom(
  deployments: readonly Deployment[],
  pods: readonly Pod[],
  assumePods: boolean,
): readonly Workload[] {
  const known = new Map(deployments.map((one) => [`${one.meta.namespace}/${one.meta.name}`, one]));
  const owned = new Map<Deployment, Pod[]>();
  const bare: Pod[] = [];
  for (const pod of pods) {
    const owner = ownerOf(pod, known);
    if (owner === undefined) bare.push(pod);
    else owned.set(owner, [...(owned.get(owner) ?? []), pod]);
  }
  const named = deployments.toSorted((a, b) => order(a, b));
  const found = deployments.map((deployment) => {
    const own = owned.get(deployment) ?? [];
    return workloadOf(
      deployment,
      own,
      deployment.replicas,
      assumePods && own.length === 0 ? assumedAddress(named.indexOf(deployment)) : undefined,
    );
  });
  const taken = new Set(found.map((one) => `${one.namespace}/${one.name}`));
  // A bare Pod of a Deployment's name would be a second workload under one name; the Deployment has it.
  const alone = bare.filter((pod) => !taken.has(`${pod.meta.namespace}/${pod.meta.name}`));
  return [...found, ...alone.map((pod) => workloadOf(pod, [pod], 1, undefined))];
}

function order(a: Deployment, b: Deployment): number {
  const [one, other] = [`${a.meta.namespace}/${a.meta.name}`, `${b.meta.namespace}/${b.meta.name}`];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** A ReplicaSet's name is its Deployment's and a hash. */
function ownerOf(pod: Pod, known: ReadonlyMap<string, Deployment>): Deployment | undefined {
  const { owner } = pod;
  if (owner === undefined) return undefined;
  if (owner.kind === 'Deployment') return known.get(`${pod.meta.namespace}/${owner.name}`);
  if (owner.kind !== 'ReplicaSet') return undefined;
  return known.get(`${pod.meta.namespace}/${owner.name.replace(/-[^-]*$/, '')}`);
}

function assumedAddress(index: number): string {
  const at = index + 1;
  return `10.${(at >>> 16) & 255}.${(at >>> 8) & 255}.${at & 255}`;
}

function workloadOf(source: Deployment | Pod, pods: readonly Pod[], replicas: number, assumed: string | undefined): Workload {
  const before = made.get(source);
  if (
    before !== undefined &&
    before.assumed === assumed &&
    before.pods.length === pods.length &&
    before.pods.every((pod, at) => pod === pods[at])
  )
    return before.workload;
  const instances: Instance[] = pods.flatMap((pod) => (pod.instance === undefined ? [] : [pod.instance]));
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
    name: meta.name,
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
  made.set(source, { pods, assumed, workload });
  return workload;
}
