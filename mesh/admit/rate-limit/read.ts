import type { RateLimit } from '../../model/rate-limit.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { selectedWorkloads } from '../selector.ts';
import { limit } from './limit.ts';

/** For each request every limit is tried, so their number is bounded. */
const MOST_LIMITS = 100;

/** Reads a RateLimit's spec. */
export function readRateLimit(spec: Field, context: Context): RateLimit {
  const fields = fieldsOf(spec, ['selector', 'limits']);
  const selector = selectedWorkloads(fields.selector, context);
  const items = itemsOf(fields.limits);
  if (items.length === 0 && !spec.report.failed)
    fields.limits.error(
      'missing-field',
      'limits must have at least one limit',
      'as limits: [{name: all, requests: 100, per: 1s}]',
    );
  if (items.length > MOST_LIMITS)
    fields.limits.error('out-of-range', `${items.length} limits are too many`, `write at most ${MOST_LIMITS}`);
  const names = new Set<string>();
  const limits = items.flatMap((item) => {
    const read = item.given ? limit(item) : undefined;
    if (read === undefined) return [];
    if (names.has(read.name)) item.error('duplicate', `two limits are called ${read.name}`, 'name each differently');
    names.add(read.name);
    return [read];
  });
  return { meta: context.meta, selector, limits };
}
