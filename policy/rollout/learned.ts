import type { NamespaceRollout } from '../../mesh/model/namespace-rollout.ts';
import type { ObservedCall } from '../observed/call.ts';
import { entriesAbout } from './accepted.ts';

/**
 * Whether a rollout's policies are suggested from a call: from all but those of which somebody said that they will be refused, such as an
 * intruder's. An entry that has ended counts as well: waiting must not let in what was to be refused; it holds the gate instead. So does one
 * that names some of the paths that a record stands for: a rule for the record would let those in.
 */
export function learning({ accepted }: Pick<NamespaceRollout, 'accepted'>): (call: ObservedCall) => boolean {
  const about = entriesAbout(
    accepted.filter(({ kind }) => kind === 'denied'),
    'perhaps',
  );
  return (call) => about(call).length === 0;
}
