import type { LoadBalancer, LoadBalancerAlgorithm, Warmup } from '../../model/load-balancer.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf } from '../field.ts';
import { oneOf, real } from '../scalar.ts';
import { oldForm, unapplied } from '../unapplied.ts';
import { consistentHash } from './consistent-hash.ts';
import { localityBalancing } from './locality.ts';

const ALGORITHMS = ['UNSPECIFIED', 'LEAST_CONN', 'LEAST_REQUEST', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN'] as const;

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
  if (fields.localityLbSetting.given && fields.zoneAwareLbSetting.given)
    field.error('contradiction', 'localityLbSetting and zoneAwareLbSetting are both given', 'keep one');
  oldForm(fields.warmupDurationSecs, 'warmup: {duration: …}');
  for (const one of [fields.backendUtilization, fields.zoneAwareLbSetting]) unapplied(one, one.path.split('.').at(-1) ?? '');
  const old = duration(fields.warmupDurationSecs, 1);
  return {
    algorithm: algorithm(fields.simple),
    hash: consistentHash(fields.consistentHash),
    warmup:
      warmup(fields.warmup) ??
      (old === undefined ? undefined : { durationMs: old, minimumPercent: undefined, aggression: undefined }),
    locality: localityBalancing(fields.localityLbSetting),
  };
}

function algorithm(field: Field): LoadBalancerAlgorithm | undefined {
  const simple = oneOf(field, ALGORITHMS);
  switch (simple) {
    case undefined:
    case 'UNSPECIFIED':
      return undefined;
    case 'LEAST_CONN':
      oldForm(field, 'simple: LEAST_REQUEST');
      return 'LEAST_REQUEST';
    case 'LEAST_REQUEST':
    case 'RANDOM':
    case 'PASSTHROUGH':
    case 'ROUND_ROBIN':
      return simple;
  }
  return simple satisfies never;
}

function warmup(field: Field): Warmup | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['duration', 'minimumPercent', 'aggression']);
  if (!fields.duration.given) fields.duration.error('missing-field', 'must be given', 'as duration: 30s');
  return {
    durationMs: duration(fields.duration, 1) ?? 0,
    minimumPercent: real(fields.minimumPercent, 0, 100),
    aggression: real(fields.aggression, 1, Number.MAX_VALUE),
  };
}
