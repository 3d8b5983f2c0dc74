import type { Parsed } from '../../ca/identity/parsed.ts';
import type { Proxy } from '../../mesh/model/proxy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';

/** The labels by which Istio's own gateway Deployments are known. */
function isGateway(snapshot: Snapshot, workload: Workload): boolean {
  return snapshot.gateways.some(({ selector }) => {
    const wanted = Object.entries(selector);
    return wanted.length > 0 && wanted.every(([key, value]) => workload.labels[key] === value);
  });
}

/** The proxy of `NAMESPACE/WORKLOAD`: that of its first instance, as a gateway when a Gateway selects the workload. */
export function chooseProxy(snapshot: Snapshot, name: string): Parsed<Proxy> {
  const workload = snapshot.workloads.find((candidate) => `${candidate.namespace}/${candidate.name}` === name);
  if (workload === undefined) {
    const known = snapshot.workloads.map((candidate) => `${candidate.namespace}/${candidate.name}`);
    const hint = known.length === 0 ? 'the input has no Deployment and no Pod' : `there are ${known.slice(0, 20).join(', ')}`;
    return { ok: false, reason: `no workload ${name} (${hint})` };
  }
  const [instance] = workload.instances;
  if (instance === undefined) return { ok: false, reason: `${name} has no Pod (add one, or a Deployment)` };
  return { ok: true, value: { kind: isGateway(snapshot, workload) ? 'gateway' : 'sidecar', workload, instance } };
}
