import type { LoadBalancer } from '../../model/destination-rule.ts';
import { duration } from '../duration.ts';
import { type Field, entriesOf, fieldsOf, itemsOf } from '../field.ts';
import { flag, integer, oneOf, real, requiredText, text, texts } from '../scalar.ts';
import { oldForm, unapplied } from '../unapplied.ts';

export function loadBalancer(field: Field): LoadBalancer | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, [
    'simple',
    'consistentHash',
    'backendUtilization',
    'localityLbSetting',
    'zoneAwareLbSetting',
    'warmup',
    'warmupDurationSecs',
  ]);
  if (fields.simple.given && fields.consistentHash.given)
    field.error('contradiction', 'simple and consistentHash are both given', 'keep one');
  const simple = oneOf(fields.simple, ['UNSPECIFIED', 'LEAST_CONN', 'LEAST_REQUEST', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN']);
  if (simple === 'LEAST_CONN') oldForm(fields.simple, 'simple: LEAST_REQUEST');
  if (fields.localityLbSetting.given && fields.zoneAwareLbSetting.given)
    field.error('contradiction', 'localityLbSetting and zoneAwareLbSetting are both given', 'keep one');
  consistentHash(fields.consistentHash);
  locality(fields.localityLbSetting);
  warmup(fields.warmup);
  duration(fields.warmupDurationSecs, 1);
  for (const one of [
    fields.consistentHash,
    fields.backendUtilization,
    fields.localityLbSetting,
    fields.zoneAwareLbSetting,
    fields.warmup,
    fields.warmupDurationSecs,
  ]) {
    unapplied(one, one.path.split('.').at(-1) ?? '');
  }
  switch (simple) {
    case undefined:
    case 'UNSPECIFIED':
      return undefined;
    case 'LEAST_CONN':
      return 'LEAST_REQUEST';
    case 'LEAST_REQUEST':
    case 'RANDOM':
    case 'PASSTHROUGH':
    case 'ROUND_ROBIN':
      return simple;
  }
  return simple satisfies never;
}

function consistentHash(field: Field): void {
  if (!field.given) return;
  const fields = fieldsOf(field, [
    'httpHeaderName',
    'httpCookie',
    'useSourceIp',
    'httpQueryParameterName',
    'minimumRingSize',
    'ringHash',
    'maglev',
  ]);
  const keys = [fields.httpHeaderName, fields.httpCookie, fields.useSourceIp, fields.httpQueryParameterName].filter(
    (one) => one.given,
  );
  if (keys.length > 1) field.error('contradiction', 'only one hash key may be given', 'keep one');
  if (keys.length === 0) field.error('missing-field', 'a hash key must be given', 'as httpHeaderName: x-user');
  text(fields.httpHeaderName);
  text(fields.httpQueryParameterName);
  flag(fields.useSourceIp);
  wideInteger(fields.minimumRingSize);
  const cookie = fieldsOf(fields.httpCookie, ['name', 'path', 'ttl', 'attributes']);
  if (fields.httpCookie.given) {
    requiredText(cookie.name, 'name the cookie');
    text(cookie.path);
    duration(cookie.ttl, 0);
    const names = new Set<string>();
    for (const item of itemsOf(cookie.attributes)) {
      const attribute = fieldsOf(item, ['name', 'value']);
      const name = requiredText(attribute.name);
      if (names.has(name)) attribute.name.error('duplicate', `the attribute ${name} is given twice`, 'keep one');
      names.add(name);
      text(attribute.value);
    }
  }
  const ring = fieldsOf(fields.ringHash, ['minimumRingSize']);
  wideInteger(ring.minimumRingSize);
  const maglev = fieldsOf(fields.maglev, ['tableSize']);
  wideInteger(maglev.tableSize);
  if (fields.ringHash.given && fields.maglev.given)
    field.error('contradiction', 'ringHash and maglev are both given', 'keep one');
}

/** A 64-bit number, which protobuf's JSON writes in quotes. */
function wideInteger(field: Field): void {
  const { node } = field;
  if (node?.kind === 'scalar' && typeof node.value === 'string' && /^\d{1,15}$/.test(node.value)) return;
  integer(field, 0, Number.MAX_SAFE_INTEGER);
}

/** Shares are whole and together 100; regions do not overlap; distribute and failover exclude each other. */
function locality(field: Field): void {
  if (!field.given) return;
  const fields = fieldsOf(field, ['enabled', 'distribute', 'failover', 'failoverPriority']);
  flag(fields.enabled);
  texts(fields.failoverPriority);
  if (fields.distribute.given && (fields.failover.given || fields.failoverPriority.given)) {
    field.error('contradiction', 'distribute and failover are both given', 'keep one');
  }
  const from = new Set<string>();
  for (const item of itemsOf(fields.distribute)) {
    const one = fieldsOf(item, ['from', 'to']);
    const source = requiredText(one.from);
    if (from.has(source)) one.from.error('duplicate', `${source} is given twice`, 'keep one');
    from.add(source);
    let sum = 0;
    for (const [, share] of entriesOf(one.to)) sum += integer(share, 1, 100) ?? 0;
    if (sum !== 100) one.to.error('bad-weights', `the shares are together ${sum}`, 'make them 100 together');
  }
  for (const item of itemsOf(fields.failover)) {
    const one = fieldsOf(item, ['from', 'to']);
    const source = requiredText(one.from);
    const target = requiredText(one.to);
    if (source !== '' && source === target) item.error('contradiction', 'from and to are the same', 'name another region');
    if (source.includes('/') || target.includes('/'))
      item.error('bad-locality', 'only regions may be given', 'leave zone and sub-zone out');
    if (`${source}${target}`.includes('*')) item.error('bad-locality', 'a wildcard is not allowed', 'name the region');
  }
}

function warmup(field: Field): void {
  if (!field.given) return;
  const fields = fieldsOf(field, ['duration', 'minimumPercent', 'aggression']);
  if (!fields.duration.given) fields.duration.error('missing-field', 'must be given', 'as duration: 30s');
  duration(fields.duration, 1);
  real(fields.minimumPercent, 0, 100);
  real(fields.aggression, 1, Number.MAX_VALUE);
}
