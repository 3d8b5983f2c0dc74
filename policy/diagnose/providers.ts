import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { findProvider } from '../../mesh/model/extension-provider.ts';
import { finding, quoted } from './finding.ts';
import { someOf, type Survey } from './survey.ts';

/** CUSTOM policies whose provider cannot be asked. */
export function unknownProviders(survey: Survey): readonly Diagnostic[] {
  const { snapshot } = survey;
  return survey.policies.flatMap((policy) => {
    if (policy.action !== 'CUSTOM') return [];
    const found = findProvider(snapshot, policy.provider);
    if (found.kind === 'found') return [];
    const targets = survey.targets(policy);
    const where = targets.length === 0 ? '' : ` at ${someOf(targets)}`;
    return [
      finding(
        policy.meta,
        'spec.provider.name',
        'warning',
        'no-such-provider',
        `the provider ${quoted(policy.provider ?? '')} cannot be asked: ${found.why}; whatever this policy matches${where} is denied`,
        'name one of extensionProviders in the mesh configuration (--mesh-config), whose service is in the mesh',
      ),
    ];
  });
}
