import type { NamespaceRollout } from '../../mesh/model/namespace-rollout.ts';
import type { ObservedCall } from '../observed/call.ts';
import { entriesAbout } from './accepted.ts';

/**
 * The calls that a rollout's policies are suggested from: all but those of which somebody said that they will be refused, such as an
 * intruder's. An entry that has ended counts as well: waiting must not let in what was to be refused; it holds the gate instead. So does one
 * that names some of the paths that a record stands for: a rule for the record would let those in.
 */
export function learnedCalls(
  { accepted }: Pick<NamespaceRollout, 'accepted'>,
  calls: readonly ObservedCall[],
): readonly ObservedCall[] {
  const refused = accepted.filter(({ kind }) => kind === 'denied');
  if (refused.length === 0) return calls;
  const about = entriesAbout(refused, 'perhaps');
  return calls.filter((call) => about(call).length === 0);
}
