import { Counter, type Registry } from 'prom-client';
import { PolicyWarnings } from './policy-warnings.ts';

/** {@link PolicyWarnings}, counted. */
export function policyWarnings(registry: Registry, around: ConstructorParameters<typeof PolicyWarnings>[0]): PolicyWarnings {
  const warnings = new PolicyWarnings(around);
  const made: Counter<'outcome'> = new Counter({
    name: 'gatehouse_webhook_policy_replays_total',
    help: 'changes of policies through the API server, by whether it was told in time what they deny (answered, late, failed)',
    labelNames: ['outcome'],
    registers: [registry],
    collect: () => {
      made.reset();
      for (const [outcome, count] of Object.entries(warnings.counts)) made.inc({ outcome }, count);
    },
  });
  return warnings;
}
