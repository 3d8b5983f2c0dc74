import type { JwtRule, RequestAuthentication } from '../../model/request-authentication.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { selectedWorkloads } from '../selector.ts';
import { targetRefs } from '../target-ref.ts';
import { jwtRule } from './jwt-rule.ts';

/** As the CRD has it. */
const MOST_RULES = 4096;

/** Reads a RequestAuthentication's spec. Without rules it verifies nothing, and no token is of use to a policy. */
export function readRequestAuthentication(spec: Field, context: Context): RequestAuthentication {
  const fields = fieldsOf(spec, ['selector', 'targetRef', 'targetRefs', 'jwtRules']);
  const targets = targetRefs(fields, context);
  const selector = selectedWorkloads(fields.selector, context);
  const items = itemsOf(fields.jwtRules);
  if (items.length > MOST_RULES)
    fields.jwtRules.error('out-of-range', `has more than ${MOST_RULES} rules`, 'use several objects');
  const rules = items.map(jwtRule);
  noteHeaders(items, rules);
  if (context.meta.annotations['istio.io/dry-run'] !== undefined) {
    spec.error(
      'not-supported',
      'a RequestAuthentication has no dry run',
      'remove the annotation istio.io/dry-run; it is for AuthorizationPolicies',
    );
  }
  return { meta: context.meta, selector, targetRefs: targets, rules };
}

/** Headers that are written are taken out of what clients send: no token is found there, and one header cannot say two things. */
function noteHeaders(items: readonly Field[], rules: readonly JwtRule[]): void {
  const writtenBy = ({ outputClaimToHeaders, outputPayloadToHeader }: JwtRule): readonly string[] =>
    [...outputClaimToHeaders.map(({ header }) => header), outputPayloadToHeader ?? ''].map((name) => name.toLowerCase());
  const written = new Set(rules.flatMap(writtenBy));
  written.delete('');
  for (const [index, rule] of rules.entries()) {
    const item = items[index];
    const lost = rule.fromHeaders.find(({ name }) => written.has(name.toLowerCase()));
    if (lost !== undefined) {
      item?.warning(
        'contradiction',
        `no token is ever found in the header ${shorten(lost.name)}: a rule writes it, so it is taken out of what clients send`,
        'write the claim or the payload to another header',
      );
    }
    const names = writtenBy(rule).filter((name) => name !== '');
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined)
      item?.warning('duplicate', `the header ${shorten(twice)} is written twice`, 'give each claim a header of its own');
  }
}
