import type { RequestAuthentication } from '../../model/request-authentication.ts';
import { type Context, refer } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { workloadSelector } from '../selector.ts';
import { targetRefs } from '../target-ref.ts';
import { jwtRule } from './jwt-rule.ts';

/** As the CRD has it. */
const MOST_RULES = 4096;

/** Reads a RequestAuthentication's spec. Without rules it verifies nothing, and no token is of use to a policy. */
export function readRequestAuthentication(spec: Field, context: Context): RequestAuthentication {
  const fields = fieldsOf(spec, ['selector', 'targetRef', 'targetRefs', 'jwtRules']);
  const targets = targetRefs(fields, context);
  const selector = workloadSelector(fields.selector);
  if (Object.keys(selector).length > 0) {
    refer(context, fields.selector, {
      kind: 'workloads',
      selector,
      everywhere: context.meta.namespace === context.meshConfig.rootNamespace,
    });
  }
  const items = itemsOf(fields.jwtRules);
  if (items.length > MOST_RULES)
    fields.jwtRules.error('out-of-range', `has more than ${MOST_RULES} rules`, 'use several objects');
  const rules = items.map(jwtRule);
  if (context.meta.annotations['istio.io/dry-run'] !== undefined) {
    spec.error(
      'not-supported',
      'a RequestAuthentication has no dry run',
      'remove the annotation istio.io/dry-run; it is for AuthorizationPolicies',
    );
  }
  return { meta: context.meta, selector, targetRefs: targets, rules };
}
