import { type Stage, STAGES, type WorkloadException } from '../../model/namespace-rollout.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { oneOf, requiredText } from '../scalar.ts';
import { answered } from './answered.ts';

const MOST_EXCEPTIONS = 500;
/** Names of what has pods (RFC 1123 subdomains). */
const WORKLOAD = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export function exceptions(field: Field): readonly WorkloadException[] {
  const items = itemsOf(field);
  if (items.length > MOST_EXCEPTIONS)
    field.error('out-of-range', `${items.length} exceptions are too many`, `write at most ${MOST_EXCEPTIONS}, or a lower target`);
  const names = new Set<string>();
  return items.flatMap((item) => {
    if (!item.given) return [];
    const fields = fieldsOf(item, ['workload', 'upTo', 'owner', 'reason', 'until']);
    const workload = workloadName(fields.workload);
    if (workload !== '' && names.has(workload))
      item.error('duplicate', `two exceptions are for ${workload}`, 'keep the one that holds');
    names.add(workload);
    return [{ workload, upTo: upTo(fields.upTo), ...answered(fields) }];
  });
}

function upTo(field: Field): Stage {
  if (!field.given)
    field.error('missing-field', 'must be given', `the last stage that it may enter: ${STAGES.slice(0, -1).join(', ')}`);
  const found = oneOf(field, STAGES);
  if (found === 'enforce')
    field.error(
      'contradiction',
      'enforce is the last stage, so this excepts nothing',
      'use observe, strict or dry-run, or remove it',
    );
  return found ?? 'observe';
}

export function workloadName(field: Field): string {
  const name = requiredText(field, 'as workload: cart, the name of its Deployment');
  if (name !== '' && !WORKLOAD.test(name))
    field.error(
      'bad-name',
      `"${shorten(name)}" is no name of a workload`,
      name.includes('/') ? 'without its namespace, which is the rollout’s' : 'the name of its Deployment',
    );
  return name;
}
