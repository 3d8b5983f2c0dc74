import { type CallVerdict, type EndFilter, fullIdentity, type StoreFilter } from '../model/edge-filter.ts';
import type { SqlValue } from './sql.ts';

/** A condition on rows of `edge`. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

type End = 'source' | 'destination';

/** Each alternative has an index of its own. */
function anyOf(...alternatives: readonly (readonly [column: string, value: string])[]): Condition {
  return {
    sql: `(${alternatives.map(([column]) => `edge.${column} = ?`).join(' OR ')})`,
    values: alternatives.map(([, value]) => value),
  };
}

function inNamespace(ends: readonly End[], namespace: string): Condition {
  const columns = ends.map((end) => `${end}_namespace`);
  // A call that never arrived has a service, but no one at the other end to name.
  if (ends.includes('destination')) columns.push('service_namespace');
  return anyOf(...columns.map((column) => [column, namespace] as const));
}

function isWorkload(ends: readonly End[], workload: string): Condition {
  const kind = workload.includes('/') ? 'workload' : 'name';
  return anyOf(...ends.map((end) => [`${end}_${kind}`, workload] as const));
}

function ofEnd(ends: readonly End[], { namespace, workload, identity }: EndFilter): readonly Condition[] {
  return [
    ...(namespace === undefined ? [] : [inNamespace(ends, namespace)]),
    ...(workload === undefined ? [] : [isWorkload(ends, workload)]),
    ...(identity === undefined ? [] : [anyOf(...ends.map((end) => [`${end}_principal`, fullIdentity(identity)] as const))]),
  ].map((condition) => (condition.values.includes('') ? NOTHING : condition));
}

/** Nobody is without a name on purpose. */
const NOTHING: Condition = { sql: '1 = 0', values: [] };

/** Written out, so that partial indexes are found. */
const VERDICTS: Readonly<Record<CallVerdict, string>> = Object.freeze({
  allowed: `edge.decision = 'ALLOW'`,
  denied: `edge.decision = 'DENY'`,
  'would-be-denied': 'edge.would_deny = 1',
  'plain-text': `edge.mtls = 0 AND edge.verdict <> 'unreached'`,
  unreached: `edge.verdict = 'unreached'`,
});

/** The condition of a filter; undefined when it lets every edge through. */
export function conditionOf(filter: StoreFilter | undefined): Condition | undefined {
  const { verdict, service, from = {}, to = {} } = filter ?? {};
  const all = [
    ...ofEnd(['source', 'destination'], filter ?? {}),
    ...ofEnd(['source'], from),
    ...ofEnd(['destination'], to),
    ...(service === undefined ? [] : [anyOf(['service', service])]),
    ...(verdict === undefined ? [] : [{ sql: VERDICTS[verdict], values: [] }]),
  ];
  return all.length === 0
    ? undefined
    : { sql: all.map(({ sql }) => sql).join(' AND '), values: all.flatMap(({ values }) => values) };
}
