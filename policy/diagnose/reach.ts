import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { finding } from './finding.ts';
import type { Survey } from './survey.ts';

/** Objects of namespaces without workloads. (Selectors and targets that are met by none are found where all kinds are checked, in mesh/admit/check.) */
export function reachesNothing(survey: Survey): readonly Diagnostic[] {
  if (survey.isFragment) return [];
  const { policies, tokenRules, peerAuthentications } = survey;
  const attached = [
    ...policies,
    ...tokenRules,
    ...peerAuthentications.map(({ meta, selector }) => ({ meta, selector, targetRefs: [] })),
  ];
  return attached.flatMap((object) => {
    const { meta, selector, targetRefs } = object;
    if (Object.keys(selector).length + targetRefs.length > 0 || meta.namespace === survey.snapshot.meshConfig.rootNamespace)
      return [];
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
