import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { GATEWAY_NAME_LABEL } from '../../mesh/model/target-ref.ts';
import type { Attached } from '../select.ts';
import type { Meta } from '../../mesh/model/object.ts';
import { finding, quoted } from './finding.ts';
import type { Survey } from './survey.ts';

function ofTargets(survey: Survey, object: Attached & { readonly meta: Meta }): readonly Diagnostic[] {
  const { meta, targetRefs } = object;
  const gateways = new Set(survey.workloadsIn(meta.namespace).map(({ labels }) => labels[GATEWAY_NAME_LABEL]));
  return targetRefs.flatMap(({ kind, name }, at) => {
    const field = `spec.targetRefs[${at}]`;
    if (kind !== 'Gateway')
      return [
        finding(
          meta,
          field,
          'warning',
          'target-not-enforced',
          `a ${kind} is stood for by a waypoint, and there is none: nothing is enforced at ${quoted(name)}`,
          'select the workloads instead: selector: {matchLabels: {...}}',
        ),
      ];
    if (gateways.has(name)) return [];
    return [
      finding(
        meta,
        field,
        'warning',
        'selects-nothing',
        `no workload in namespace ${meta.namespace} is the proxy of Gateway ${quoted(name)}; the object has no effect`,
        `correct the name, or give the gateway's pods the label ${GATEWAY_NAME_LABEL}: ${name}`,
      ),
    ];
  });
}

/** Objects that apply to no workload. (Selectors that select nothing are found where all kinds are checked, in mesh/admit/check.) */
export function reachesNothing(survey: Survey): readonly Diagnostic[] {
  if (survey.isFragment) return [];
  const { authorizationPolicies, requestAuthentications, peerAuthentications } = survey.snapshot;
  const attached = [
    ...authorizationPolicies,
    ...requestAuthentications,
    ...peerAuthentications.map(({ meta, selector }) => ({ meta, selector, targetRefs: [] })),
  ];
  return attached.flatMap((object) => {
    if (object.targetRefs.length > 0) return ofTargets(survey, object);
    const { meta, selector } = object;
    if (Object.keys(selector).length > 0 || meta.namespace === survey.snapshot.meshConfig.rootNamespace) return [];
    if (survey.workloadsIn(meta.namespace).length > 0) return [];
    return [
      finding(
        meta,
        'metadata.namespace',
        'warning',
        'selects-nothing',
        `namespace ${meta.namespace} has no workload; the object has no effect`,
        'correct the namespace',
      ),
    ];
  });
}
