import { addressesOf } from '../../mesh/model/families.ts';
import type { Directory, ServicePortRef } from '../../audit/intake/directory.ts';
import { type Names, type ServiceNames, serviceNames, type WorkloadNames, workloadNames } from '../../audit/metrics/names.ts';
import { type SpiffeId, workloadOf, workloadSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { workloadsOf } from '../../mesh/model/endpoints.ts';
import { resolveHostname } from '../../mesh/model/hostname.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { containerPort, type Instance, type Workload } from '../../mesh/model/workload.ts';
import { policiesFor } from '../../policy/select.ts';

interface Placed {
  readonly workload: Workload;
  readonly instance: Instance;
}

interface Index {
  readonly byPod: ReadonlyMap<string, Placed>;
  readonly byAddress: ReadonlyMap<string, Placed>;
  readonly byName: ReadonlyMap<string, Workload>;
  readonly byAccount: ReadonlyMap<string, readonly Workload[]>;
  readonly byHost: ReadonlyMap<string, Service>;
  readonly behind: ReadonlyMap<Workload, readonly Service[]>;
}

const indexes = new WeakMap<Snapshot, Index>();

function indexOf(snapshot: Snapshot): Index {
  const known = indexes.get(snapshot);
  if (known !== undefined) return known;
  const byPod = new Map<string, Placed>();
  const byAddress = new Map<string, Placed>();
  const byAccount = new Map<string, Workload[]>();
  for (const workload of snapshot.workloads) {
    const account = `${workload.namespace}/${workload.serviceAccount}`;
    byAccount.set(account, [...(byAccount.get(account) ?? []), workload]);
    for (const instance of workload.instances) {
      const placed = { workload, instance };
      byPod.set(`${instance.name}.${workload.namespace}`, placed);
      for (const address of addressesOf(instance)) byAddress.set(address, placed);
      if (instance.capture.kind === 'explicit') byAddress.set(instance.capture.appAddress, placed);
    }
  }
  const behind = new Map<Workload, Service[]>();
  for (const service of snapshot.services) {
    for (const workload of workloadsOf(snapshot, service)) behind.set(workload, [...(behind.get(workload) ?? []), service]);
  }
  const index = {
    byPod,
    byAddress,
    byAccount,
    behind,
    byName: new Map(snapshot.workloads.map((workload) => [`${workload.namespace}/${workload.name}`, workload])),
    byHost: new Map(snapshot.services.map((service) => [service.hostname, service])),
  };
  indexes.set(snapshot, index);
  return index;
}

/** `sidecar~IP~POD.NAMESPACE~DOMAIN`: the third part names the pod. */
function podOf(nodeId: string): string {
  return nodeId.split('~')[2] ?? '';
}

/** @param name `NAMESPACE/NAME` */
export function workloadNamed(snapshot: Snapshot, name: string): Workload | undefined {
  return indexOf(snapshot).byName.get(name);
}

/** Whether some service of the mesh has this host. */
export function isServiceHost(snapshot: Snapshot, host: string): boolean {
  return indexOf(snapshot).byHost.has(host);
}

const labelledWorkloads = new WeakMap<Workload, WorkloadNames>();
const labelledServices = new WeakMap<Service, ServiceNames>();

function once<K extends object, V>(memory: WeakMap<K, V>, key: K | undefined, make: (key: K) => V): V | undefined {
  if (key === undefined) return undefined;
  const known = memory.get(key);
  if (known !== undefined) return known;
  const made = make(key);
  memory.set(key, made);
  return made;
}

/** What metrics call workloads and services, made with each of them. */
export function snapshotNames(current: () => Snapshot): Names {
  return {
    workload: (name) => once(labelledWorkloads, indexOf(current()).byName.get(name), workloadNames),
    service: (host) => once(labelledServices, indexOf(current()).byHost.get(host), serviceNames),
  };
}

/** Answers audit's questions about names from the snapshot that is current when they are asked. */
export function snapshotDirectory(current: () => Snapshot): Directory {
  const placedOf = (nodeId: string): Placed | undefined => indexOf(current()).byPod.get(podOf(nodeId));
  const meantBy = (nodeId: string, authority: string): ServicePortRef | undefined => {
    const placed = placedOf(nodeId);
    const snapshot = current();
    const [, name = '', asked] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
    const host = serviceHost(name, placed?.workload.namespace ?? 'default', snapshot);
    const service = host === undefined ? undefined : indexOf(snapshot).byHost.get(host);
    const port = service?.ports.find((candidate) => asked === undefined || candidate.port === Number(asked))?.port;
    return service === undefined || port === undefined ? undefined : { host: service.hostname, port };
  };
  return {
    workloadOf(nodeId) {
      const placed = placedOf(nodeId);
      return placed && `${placed.workload.namespace}/${placed.workload.name}`;
    },
    principalOf(name): SpiffeId | undefined {
      const snapshot = current();
      const workload = indexOf(snapshot).byName.get(name);
      return workload && workloadSpiffeId(snapshot.meshConfig.trustDomain, workload.namespace, workload.serviceAccount);
    },
    workloadOfPrincipal(principal) {
      const owner = workloadOf(principal);
      const snapshot = current();
      if (owner === undefined || owner.trustDomain !== snapshot.meshConfig.trustDomain) return undefined;
      const [only, ...others] = indexOf(snapshot).byAccount.get(`${owner.namespace}/${owner.serviceAccount}`) ?? [];
      return only !== undefined && others.length === 0 ? `${only.namespace}/${only.name}` : undefined;
    },
    workloadByAddress(ip) {
      const placed = indexOf(current()).byAddress.get(ip);
      return placed && { workload: `${placed.workload.namespace}/${placed.workload.name}`, meshed: placed.instance.meshed };
    },
    serviceOf(nodeId, port, authority): ServicePortRef | undefined {
      const placed = placedOf(nodeId);
      if (placed === undefined) return undefined;
      const candidates = (indexOf(current()).behind.get(placed.workload) ?? []).flatMap((service) =>
        service.ports
          .filter(({ targetPort }) => containerPort(placed.workload, targetPort) === port)
          .map((candidate) => ({ host: service.hostname, port: candidate.port })),
      );
      const meant = meantBy(nodeId, authority);
      return (
        candidates.find((candidate) => candidate.host === meant?.host && candidate.port === meant.port) ??
        candidates.find((candidate) => candidate.host === meant?.host) ??
        candidates[0]
      );
    },
    serviceOfAuthority: meantBy,
    allowPoliciesOf(name) {
      const snapshot = current();
      const workload = indexOf(snapshot).byName.get(name);
      if (workload === undefined) return [];
      return policiesFor(snapshot, workload)
        .filter((policy) => policy.action === 'ALLOW' && !policy.dryRun)
        .map((policy) => `${policy.meta.namespace}/${policy.meta.name}`);
    },
  };
}

/** `svc`, `svc.ns`, `svc.ns.svc` and the full name all mean the same Service, as in a pod's DNS search list. */
function serviceHost(name: string, namespace: string, snapshot: Snapshot): string | undefined {
  const domain = snapshot.meshConfig.clusterDomain;
  const full = resolveHostname(name, namespace, domain);
  if (full === undefined || full.endsWith(`.svc.${domain}`)) return full;
  if (full.endsWith('.svc')) return `${full}.${domain}`;
  return full.split('.').length === 2 && indexOf(snapshot).byHost.has(`${full}.svc.${domain}`) ? `${full}.svc.${domain}` : full;
}
