import type { Parsed } from '../../ca/identity/parsed.ts';
import { keyOf, selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import type { Asker } from '../../routing/evaluate/question.ts';

const GATEWAY = 'gateway:';

function listed(names: readonly string[]): string {
  return names.length === 0
    ? 'there are none in the input'
    : `there are ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`;
}

function standing(kind: Asker['kind'], workload: Workload): Parsed<Asker> {
  const [instance] = workload.instances;
  return instance === undefined
    ? { ok: false, reason: `${keyOf(workload)} has no Pod in the input and asks for none (replicas: 0)` }
    : { ok: true, value: { kind, workload, instance } };
}

/** `NAMESPACE/WORKLOAD`, or `gateway:NAMESPACE/NAME` for the gateway of that workload or of that Gateway object. */
export function askerFrom(snapshot: Snapshot, written: string): Parsed<Asker> {
  const gateway = written.startsWith(GATEWAY);
  const name = gateway ? written.slice(GATEWAY.length) : written;
  const workload = snapshot.workloads.find((one) => keyOf(one) === name);
  if (workload !== undefined) return standing(gateway ? 'gateway' : 'sidecar', workload);
  const object = gateway ? snapshot.gateways.find(({ meta }) => keyOf(meta) === name) : undefined;
  if (object !== undefined) {
    const serving = snapshot.workloads.find(
      (one) => selects(object.selector, one.labels) && Object.keys(object.selector).length > 0,
    );
    if (serving !== undefined) return standing('gateway', serving);
    return {
      ok: false,
      reason: `no workload has the labels that Gateway ${name} selects; add the gateway's Deployment to the input`,
    };
  }
  return { ok: false, reason: `no workload "${name}" (${listed(snapshot.workloads.map(keyOf))})` };
}
