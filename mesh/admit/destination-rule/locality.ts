import type { LocalityBalancing } from '../../model/load-balancer.ts';
import { entriesOf, type Field, fieldsOf, itemsOf } from '../field.ts';
import { flag, integer, requiredText, texts } from '../scalar.ts';

/** Shares are whole and together 100; regions do not overlap; distribute and failover exclude each other. */
export function localityBalancing(field: Field): LocalityBalancing | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['enabled', 'distribute', 'failover', 'failoverPriority']);
  if (fields.distribute.given && (fields.failover.given || fields.failoverPriority.given)) {
    field.error('contradiction', 'distribute and failover are both given', 'keep one');
  }
  return {
    enabled: flag(fields.enabled) ?? true,
    distribute: distribution(fields.distribute),
    failover: itemsOf(fields.failover).map(takeOver),
    failoverPriority: texts(fields.failoverPriority),
  };
}

function distribution(field: Field): LocalityBalancing['distribute'] {
  const from = new Set<string>();
  return itemsOf(field).map((item) => {
    const one = fieldsOf(item, ['from', 'to']);
    const source = requiredText(one.from);
    if (from.has(source)) one.from.error('duplicate', `${source} is given twice`, 'keep one');
    from.add(source);
    const to: Record<string, number> = {};
    for (const [name, share] of entriesOf(one.to)) to[name] = integer(share, 1, 100) ?? 0;
    const sum = Object.values(to).reduce((all, share) => all + share, 0);
    if (sum !== 100) one.to.error('bad-weights', `the shares are together ${sum}`, 'make them 100 together');
    return { from: source, to };
  });
}

function takeOver(item: Field): { readonly from: string; readonly to: string } {
  const one = fieldsOf(item, ['from', 'to']);
  const from = requiredText(one.from);
  const to = requiredText(one.to);
  if (from !== '' && from === to) item.error('contradiction', 'from and to are the same', 'name another region');
  if (from.includes('/') || to.includes('/'))
    item.error('bad-locality', 'only regions may be given', 'leave zone and sub-zone out');
  if (`${from}${to}`.includes('*')) item.error('bad-locality', 'a wildcard is not allowed', 'name the region');
  return { from, to };
}
