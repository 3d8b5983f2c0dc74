import type { Sidecar } from '../../model/sidecar.ts';
import { type Context, refer } from '../context.ts';
import { inboundConnectionPool } from '../destination-rule/connection-pool.ts';
import { type Field, fieldsOf } from '../field.ts';
import { labelSelector } from '../selector.ts';
import { oneOf } from '../scalar.ts';
import { egressListeners } from './egress.ts';
import { ingressListeners } from './ingress.ts';

/** Reads a Sidecar's spec. */
export function readSidecar(spec: Field, context: Context): Sidecar {
  const fields = fieldsOf(spec, ['workloadSelector', 'ingress', 'egress', 'outboundTrafficPolicy', 'inboundConnectionPool']);
  const labels = labelSelector(fieldsOf(fields.workloadSelector, ['labels']).labels);
  if (Object.keys(labels).length > 0)
    refer(context, fields.workloadSelector, { kind: 'workloads', selector: labels, everywhere: false });
  const ingress = ingressListeners(fields.ingress);
  const egress = egressListeners(fields.egress, context);
  if (!fields.egress.given && !fields.ingress.given && !fields.outboundTrafficPolicy.given && !fields.inboundConnectionPool.given)
    spec.error('missing-field', 'says nothing', 'as egress: [{hosts: ["./*"]}]');
  return {
    meta: context.meta,
    workloadSelector: Object.keys(labels).length > 0 ? labels : undefined,
    egress,
    ingress,
    outboundTrafficPolicy: outboundPolicy(fields.outboundTrafficPolicy),
    inboundConnectionPool: inboundConnectionPool(fields.inboundConnectionPool),
  };
}

/** Where the policy is given without a mode, it is REGISTRY_ONLY, as protobuf has it. */
function outboundPolicy(field: Field): Sidecar['outboundTrafficPolicy'] {
  if (!field.given) return undefined;
  const { mode, egressProxy } = fieldsOf(field, ['mode', 'egressProxy']);
  const found = oneOf(mode, ['REGISTRY_ONLY', 'ALLOW_ANY', 'ALLOW_ANY_DYNAMIC_DNS']) ?? 'REGISTRY_ONLY';
  if (egressProxy.given) {
    if (found !== 'ALLOW_ANY')
      egressProxy.error('contradiction', 'has no meaning where unknown hosts are refused', 'use mode: ALLOW_ANY, or remove it');
    else {
      egressProxy.warning(
        'not-yet-applied',
        'is not applied yet; unknown hosts are refused, not sent past the egress proxy',
        'remove it to let them go straight out',
      );
      return 'REGISTRY_ONLY';
    }
  }
  return found;
}
