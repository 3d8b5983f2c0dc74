import { workloadsOf } from '../../mesh/model/endpoints.ts';
import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { containerPort, type Workload } from '../../mesh/model/workload.ts';
import type { ObservedCall } from '../observed/call.ts';

/** What callers may do at a workload because they did it at another one behind the same Service. */
export interface Alike {
  readonly calls: readonly ObservedCall[];
  /** In words, in order of the services. */
  readonly generalised: readonly string[];
}

const byHost = indexedBy<Service>(({ hostname }) => [hostname]);

function sameCall({ principal, destination, port, protocol, method, path }: ObservedCall): string {
  return JSON.stringify([principal, destination, port, protocol, method, path]);
}

/** The port of another workload to which a Service leads what it leads to this one's; undefined: it leads to none. */
function portOf(
  { ports }: Service,
  called: Workload,
  port: number | undefined,
  other: Workload,
): { readonly port: number | undefined } | undefined {
  if (port === undefined) return { port };
  const through = ports.find(({ targetPort }) => containerPort(called, targetPort) === port);
  const own = through === undefined ? undefined : containerPort(other, through.targetPort);
  return own === undefined ? undefined : { port: own };
}

/**
 * Calls as if each caller of a Service had called all workloads behind it: chance chose which of them answered, and of a caller that comes
 * once a week it chose few. Of callers without an identity nothing is made, nor of calls to a workload that is not behind the Service that
 * they name: which one that is callers say themselves. By the name of the workload, for those that nobody was seen to call so.
 */
export function alikeCalls(calls: readonly ObservedCall[], snapshot: Snapshot): ReadonlyMap<string, Alike> {
  const behind = new Map<string, readonly { readonly service: Service; readonly workloads: readonly Workload[] }[]>();
  const servicesOf = (host: string): NonNullable<ReturnType<typeof behind.get>> => {
    const known = behind.get(host);
    if (known !== undefined) return known;
    const made = byHost(snapshot.services, host)
      .filter(({ selector }) => selector !== undefined)
      .map((service) => ({
        service,
        workloads: workloadsOf(snapshot, service).toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1)),
      }))
      .filter(({ workloads }) => workloads.length > 1);
    behind.set(host, made);
    return made;
  };
  const isThrough = ({ decision, principal }: ObservedCall): boolean => decision === 'ALLOW' && principal !== undefined;
  const beside = new Set<string>();
  for (const host of new Set(calls.flatMap((call) => (isThrough(call) ? (call.service ?? []) : []))))
    for (const { workloads } of servicesOf(host)) for (const workload of workloads) beside.add(keyOf(workload));
  const known = new Set<string>();
  for (const call of calls) if (isThrough(call) && beside.has(call.destination)) known.add(sameCall(call));
  const found = new Map<string, { calls: ObservedCall[]; generalised: Set<string> }>();
  for (const call of calls) {
    if (call.service === undefined || !isThrough(call)) continue;
    for (const { service, workloads } of servicesOf(call.service)) {
      const called = workloads.find((one) => keyOf(one) === call.destination);
      if (called === undefined) continue;
      for (const other of workloads) {
        const at = other === called ? undefined : portOf(service, called, call.port, other);
        if (at === undefined) continue;
        const destination = keyOf(other);
        const made = { ...call, destination, port: at.port };
        const key = sameCall(made);
        if (known.has(key)) continue;
        known.add(key);
        const mine = found.get(destination) ?? { calls: [], generalised: new Set<string>() };
        found.set(destination, mine);
        mine.calls.push(made);
        const names = workloads.map(keyOf).join(', ');
        mine.generalised.add(`${call.service} leads to any of ${names}: who called one of them through it may call all`);
      }
    }
  }
  return new Map(
    [...found].map(([name, { calls: made, generalised }]) => [name, { calls: made, generalised: [...generalised].sort() }]),
  );
}
