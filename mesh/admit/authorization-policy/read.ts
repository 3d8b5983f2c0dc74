import type { AuthorizationPolicy, PolicyAction, Rule } from '../../model/authorization-policy.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { oneOf, requiredText } from '../scalar.ts';
import { selectedWorkloads } from '../selector.ts';
import { targetRefs } from '../target-ref.ts';
import { operation } from './operation.ts';
import { source } from './source.ts';
import { when } from './when.ts';

/** Reads an AuthorizationPolicy's spec. Every field is honoured or refused: one that is skipped could let someone in. */
export function readAuthorizationPolicy(spec: Field, context: Context): AuthorizationPolicy {
  const fields = fieldsOf(spec, ['selector', 'targetRef', 'targetRefs', 'rules', 'action', 'provider']);
  const action = oneOf(fields.action, ['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']) ?? 'ALLOW';
  const targets = targetRefs(fields, context);
  const selector = selectedWorkloads(fields.selector, context);
  const rules = itemsOf(fields.rules).map((item) => rule(item, action));
  const provider =
    action === 'CUSTOM'
      ? requiredText(
          fieldsOf(fields.provider, ['name']).name,
          'a CUSTOM policy names an extension provider of the mesh configuration',
        )
      : undefined;
  if (action !== 'CUSTOM' && fields.provider.given)
    fields.provider.error('contradiction', `a policy of ${action} has no provider`, 'remove it, or use action: CUSTOM');
  if ((action === 'DENY' || action === 'CUSTOM' || action === 'AUDIT') && !fields.rules.given) {
    spec.error(
      'missing-field',
      `a policy of ${action} without rules never applies`,
      'add rules: [{}] to have it apply to every request',
    );
  }
  const dryRun = dryRunOf(spec, context);
  if (dryRun && (action === 'CUSTOM' || action === 'AUDIT')) {
    spec.error(
      'contradiction',
      `a policy of ${action} has no dry run`,
      'the annotation istio.io/dry-run is for ALLOW and DENY; remove it, or the policy',
    );
  }
  return { meta: context.meta, action, provider, selector, targetRefs: targets, rules, dryRun };
}

/** `istio.io/dry-run: "true"` has a policy decide without effect. Any other text than true or false could be meant either way. */
function dryRunOf(spec: Field, context: Context): boolean {
  const written = context.meta.annotations['istio.io/dry-run'];
  if (written === undefined) return false;
  if (/^(true|True|TRUE|t|T|1)$/.test(written)) return true;
  if (!/^(false|False|FALSE|f|F|0)$/.test(written))
    spec.error('unknown-value', 'the annotation istio.io/dry-run is neither true nor false', 'write "true" or "false"');
  return false;
}

function rule(field: Field, action: PolicyAction): Rule {
  const fields = fieldsOf(field, ['from', 'to', 'when']);
  const read = <T>(list: Field, one: (item: Field) => T): readonly T[] => {
    const items = itemsOf(list);
    if (list.node?.kind === 'list' && items.length === 0)
      list.error('empty-list', 'is an empty list', 'fill it in, or remove the field');
    return items.map(one);
  };
  const from = read(fields.from, source);
  const conditions = read(fields.when, when);
  if (action === 'CUSTOM') {
    const jwt =
      from.some((one) => one.requestPrincipals.values.length + one.requestPrincipals.notValues.length > 0) ||
      conditions.some((one) => one.key.startsWith('request.auth.'));
    if (jwt)
      field.error(
        'contradiction',
        'a CUSTOM policy runs before tokens are checked',
        'leave requestPrincipals and request.auth to another policy',
      );
  }
  return { from, to: read(fields.to, operation), when: conditions };
}
