import { canonicalRevision, canonicalService, firstLabel } from '../../mesh/model/canonical.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Instance, Workload } from '../../mesh/model/workload.ts';

/** What Istio's labels say where nothing is known. */
export const UNKNOWN = 'unknown';

/** Istio's name of the only cluster that there is (`CLUSTER_ID`), which Kiali expects as well. */
export const CLUSTER = 'Kubernetes';

/** What labels say of a workload. */
export interface WorkloadNames {
  readonly name: string;
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
  /** Has a proxy, which tells of its calls itself. */
  readonly meshed: boolean;
}

export interface ServiceNames {
  readonly host: string;
  /** Its name in Kubernetes; of a host from outside, the host. */
  readonly name: string;
  readonly namespace: string;
}

/** What configuration says now of workloads (`NAMESPACE/NAME`) and hosts. The same object as long as nothing about it changed. */
export interface Names {
  workload(name: string): WorkloadNames | undefined;
  service(host: string): ServiceNames | undefined;
}

export const NOBODY: WorkloadNames = Object.freeze({
  name: UNKNOWN,
  namespace: UNKNOWN,
  app: UNKNOWN,
  version: UNKNOWN,
  canonicalService: UNKNOWN,
  canonicalRevision: 'latest',
  cluster: UNKNOWN,
  meshed: false,
});

export function workloadNames({
  name,
  namespace,
  labels,
  instances,
}: Pick<Workload, 'name' | 'namespace' | 'labels'> & {
  readonly instances: readonly Pick<Instance, 'meshed'>[];
}): WorkloadNames {
  return {
    name,
    namespace,
    app: firstLabel(labels, ['app'], UNKNOWN),
    version: firstLabel(labels, ['version'], UNKNOWN),
    canonicalService: canonicalService(labels, name),
    canonicalRevision: canonicalRevision(labels),
    cluster: CLUSTER,
    meshed: instances.some(({ meshed }) => meshed),
  };
}

export function serviceNames({
  hostname,
  meta,
  external,
}: Pick<Service, 'hostname' | 'external'> & { readonly meta: Pick<Service['meta'], 'name' | 'namespace'> }): ServiceNames {
  const inCluster = !external && hostname.startsWith(`${meta.name}.${meta.namespace}.svc.`);
  return { host: hostname, name: inCluster ? meta.name : hostname, namespace: meta.namespace };
}
