import type { Deployment, Pod } from './mesh-object.ts';

/** What has a pod template, by kind, namespace and name. */
export class Owners {
  readonly #known: ReadonlyMap<string, Deployment>;

  constructor(deployments: readonly Deployment[]) {
    this.#known = new Map(deployments.map((one) => [keyOf(one.meta.kind, one.meta.namespace, one.meta.name), one]));
  }

  /** The workload that something belongs to: what owns it, or the owner of that. Undefined where no owner is known. */
  of({ meta, owner }: Pick<Pod, 'meta' | 'owner'> | Pick<Deployment, 'meta' | 'owner'>): Deployment | undefined {
    if (owner === undefined) return undefined;
    const direct = this.#known.get(keyOf(owner.kind, meta.namespace, owner.name));
    if (direct !== undefined) return direct.owner === undefined ? direct : (this.of(direct) ?? direct);
    // The names that Kubernetes makes: a ReplicaSet's is its Deployment's and a hash, a Job's its CronJob's and a time.
    if (owner.kind === 'ReplicaSet')
      return this.#known.get(keyOf('Deployment', meta.namespace, owner.name.replace(/-[^-]*$/, '')));
    if (owner.kind === 'Job') return this.#known.get(keyOf('CronJob', meta.namespace, owner.name.replace(/-\d+$/, '')));
    return undefined;
  }
}

function keyOf(kind: string, namespace: string, name: string): string {
  return `${kind} ${namespace}/${name}`;
}
