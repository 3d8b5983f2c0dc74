import { workloadsOf } from '../../mesh/model/endpoints.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { ObservedCall } from '../observed/call.ts';

export interface AcrossServices {
  readonly calls: readonly ObservedCall[];
  /** In words, in order of the services. */
  readonly generalisations: readonly string[];
}

function keyOf({ principal, destination, port, protocol, method, path }: ObservedCall): string {
  return JSON.stringify([principal, destination, port, protocol, method, path]);
}

/**
 * Calls as if each caller of a Service had called all workloads behind it: chance chose which of them answered, and of a caller that comes
 * once a week it chose few. Of callers without an identity nothing is made.
 */
export function acrossServices(calls: readonly ObservedCall[], snapshot: Snapshot, namespace: string): AcrossServices {
  const behind = new Map<string, readonly string[]>();
  for (const service of snapshot.services) {
    if (service.meta.namespace !== namespace || service.selector === undefined) continue;
    const names = [...new Set(workloadsOf(snapshot, service).map((workload) => `${workload.namespace}/${workload.name}`))];
    if (names.length > 1) behind.set(service.hostname, names.sort());
  }
  if (behind.size === 0) return { calls, generalisations: [] };
  const known = new Set(calls.filter(({ decision }) => decision === 'ALLOW').map(keyOf));
  const made: ObservedCall[] = [];
  const told = new Set<string>();
  for (const call of calls) {
    const names = call.service === undefined ? undefined : behind.get(call.service);
    if (names === undefined || call.decision !== 'ALLOW' || call.principal === undefined) continue;
    for (const destination of names) {
      const other = { ...call, destination };
      const key = keyOf(other);
      if (known.has(key)) continue;
      known.add(key);
      made.push(other);
      told.add(`${call.service ?? ''} leads to any of ${names.join(', ')}: who called one of them through it may call all`);
    }
  }
  return { calls: [...calls, ...made], generalisations: [...told].sort() };
}
