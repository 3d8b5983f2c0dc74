import * as fc from 'fast-check';
import type { Rule } from '../../../mesh/model/authorization-policy.ts';
import { rule } from '../model.ts';

/** Rules of up to two of each part, more often than not without conditions. */
export function rulesOf(
  sources: fc.Arbitrary<Rule['from'][number]>,
  operations: fc.Arbitrary<Rule['to'][number]>,
  whens: fc.Arbitrary<Rule['when'][number]>,
): fc.Arbitrary<Rule> {
  return fc
    .record({
      from: fc.array(sources, { maxLength: 2 }),
      to: fc.array(operations, { maxLength: 2 }),
      when: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        { weight: 2, arbitrary: fc.array(whens, { minLength: 1, maxLength: 2 }) },
      ),
    })
    .map(rule);
}
