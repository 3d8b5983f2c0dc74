import type { Diagnostic } from '../../model/diagnostic.ts';
import { indexedBy } from '../../model/indexed-by.ts';
import { labelsAt, nodeAt } from '../node-path.ts';
import type { Written } from '../written.ts';
import { finding, type Inventory, some } from './inventory.ts';
import { remembered } from '../../model/remembered.ts';

const byPlainName = indexedBy<Written>(({ name }) => [name]);

/** A namespace whose traffic Istio's ambient mode takes, without sidecars. */
function isAmbient(inventory: Inventory, namespace: string): boolean {
  const [found] = byPlainName(inventory.kubernetes('Namespace'), namespace);
  const labels = labelsAt(found?.node, 'metadata', 'labels');
  return (
    labels['istio.io/dataplane-mode'] === 'ambient' &&
    labels['istio-injection'] !== 'enabled' &&
    labels['istio.io/rev'] === undefined
  );
}

/** The workloads that a Sidecar is for, as written. */
const levelOf = remembered((one: Written): string => {
  const labels = Object.entries(labelsAt(one.node, 'spec', 'workloadSelector', 'labels')).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([one.namespace, labels]);
});

const ofLevel = indexedBy<Written>((one) => [levelOf(one)]);

/** Sidecars (kind) that compete, or that stand where there are no sidecars. */
export function sidecars(inventory: Inventory): readonly Diagnostic[] {
  const all = inventory.istio('Sidecar');
  return all.flatMap((one) => {
    const found: Diagnostic[] = [];
    const level = ofLevel(all, levelOf(one));
    if (level.length > 1) {
      const others = level.filter((other) => other !== one).map(({ namespace, name }) => `${namespace}/${name}`);
      found.push(
        finding(
          one,
          'spec.workloadSelector',
          'warning',
          'same-level',
          `Sidecar ${some(others)} is for the same workloads; which one counts is not defined`,
          'keep one of them, or select workloads by labels',
        ),
      );
    }
    if (isAmbient(inventory, one.namespace))
      found.push(
        finding(
          one,
          'metadata.namespace',
          'warning',
          'ambient-namespace',
          `namespace ${one.namespace} is in ambient mode and has no sidecars; the object has no effect`,
          'remove it, or have sidecars injected there',
        ),
      );
    if (nodeAt(one.node, 'spec', 'outboundTrafficPolicy', 'egressProxy') !== undefined)
      found.push(
        finding(
          one,
          'spec.outboundTrafficPolicy.egressProxy',
          'warning',
          'old-form',
          'is an old form',
          'write a VirtualService that sends the hosts to an egress gateway',
        ),
      );
    return found;
  });
}
