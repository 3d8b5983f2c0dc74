import type { Edge } from '../../audit/model/edge.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { type CallPattern, callsOf, sampleSnapshot } from './sample-calls.ts';

/** Numbers that look random and are the same each time (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const TEAMS = [
  'cart',
  'search',
  'orders',
  'billing',
  'ledger',
  'stock',
  'mail',
  'risk',
  'users',
  'media',
  'maps',
  'price',
  'chat',
  'feed',
  'ads',
  'auth',
];
const PARTS = ['api', 'worker', 'store', 'cache', 'index', 'gateway', 'sync', 'report', 'batch', 'queue'];

export interface LargeMesh {
  readonly snapshot: Snapshot;
  readonly edges: readonly Edge[];
}

/** Namespaces of about fifty workloads that call each other mostly inside, and a few outside. */
export function largeMesh(workloads: number, now: number, minutes = 1): LargeMesh {
  const random = numbers(workloads);
  const pick = <T>(list: readonly T[], otherwise: T): T => list[Math.floor(random() * list.length)] ?? otherwise;
  const base = sampleSnapshot();
  const [pattern] = base.workloads;
  if (pattern === undefined) throw new Error('the samples have no workload');
  const all = Array.from({ length: workloads }, (_, at): Workload => {
    const space = Math.floor(at / 50);
    const namespace = `${TEAMS[space % TEAMS.length] ?? 'team'}-${Math.floor(space / TEAMS.length)}`;
    const name = `${PARTS[at % PARTS.length] ?? 'part'}-${at % 50}`;
    return {
      ...pattern,
      namespace,
      name,
      serviceAccount: name,
      meta: { ...pattern.meta, namespace, name },
      labels: { app: name },
      instances: [],
    };
  });
  const calls: CallPattern[] = [];
  for (const [at, { namespace, name }] of all.entries()) {
    const from = `${namespace}/${name}`;
    for (let count = 0; count < 3; count++) {
      const near = all[Math.floor(at / 50) * 50 + Math.floor(random() * 50)];
      const target = random() < 0.85 ? near : pick(all, pattern);
      if (target === undefined || target.name === name) continue;
      const kind = random();
      calls.push({
        from,
        to: `${target.namespace}/${target.name}`,
        path: `/${target.name}/{id}`,
        perMinute: 1 + Math.floor(random() * 400),
        plain: kind > 0.97,
        verdict: kind < 0.01 ? { kind: 'denied-no-rule', policies: [`${target.namespace}/api`] } : { kind: 'allowed-no-policy' },
      });
    }
  }
  return { snapshot: { ...base, workloads: all }, edges: callsOf(calls, minutes, now) };
}
