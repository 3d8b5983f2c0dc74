import { indexedBy } from '../../mesh/model/indexed-by.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { containerPort, type Workload } from '../../mesh/model/workload.ts';
import type { ObservedCall } from '../observed/call.ts';
import { type SettledWorkload, surelyTakesPlainText } from './setting.ts';

/** Who calls in plain text, and why it does, as far as that is known. */
export type PlainTextKind =
  /** As a probe of the workload asks. */
  | 'probe'
  /** As the annotations of the workload ask Prometheus to. */
  | 'scrape'
  /** A workload of the mesh without a proxy. */
  | 'no-proxy'
  /** A workload that has a proxy. */
  | 'with-proxy'
  /** Nobody that the configuration knows. */
  | 'unknown';

/** What to do about each. */
export const ADVICE: Readonly<Record<PlainTextKind, string>> = Object.freeze({
  probe: 'a probe, as the pod asks for: let the injector rewrite it, or except the port',
  scrape: 'a scrape, as the annotations ask for: have the injector merge the metrics, or except the port',
  'no-proxy': 'it has no proxy: inject one, or except the port',
  'with-proxy':
    'it has a proxy and calls past it: a DestinationRule with tls DISABLE, an excluded port, or an address of its own',
  unknown: 'nobody that the configuration knows: a host outside of the mesh, a node, a load balancer',
});

/** What becomes of a call in plain text once the mesh is as it is to be. */
export interface PlainTextCall {
  readonly kind: PlainTextKind;
  /** False: its port goes on taking plain text. */
  readonly cutOff: boolean;
}

export function isProbe({ method, path, port }: ObservedCall, workload: Workload): boolean {
  return (workload.probes ?? []).some((probe) => {
    const own = typeof probe.port === 'number' ? probe.port : containerPort(workload, probe.port);
    return probe.method === method && probe.path?.split('?')[0] === path && (port === undefined || own === port);
  });
}

export function isScrape({ method, path, port }: ObservedCall, { annotations, ports }: Workload): boolean {
  if (annotations?.['prometheus.io/scrape'] !== 'true' || method !== 'GET') return false;
  const own = Number(annotations['prometheus.io/port'] ?? ports[0]?.port);
  return (annotations['prometheus.io/path'] ?? '/metrics') === path && (port === undefined || port === own);
}

function kindOf(call: ObservedCall, workload: Workload | undefined, caller: Workload | undefined): PlainTextKind {
  if (workload !== undefined && isProbe(call, workload)) return 'probe';
  if (workload !== undefined && isScrape(call, workload)) return 'scrape';
  if (caller === undefined) return 'unknown';
  return caller.hasProxy === true || caller.instances.some(({ meshed }) => meshed) ? 'with-proxy' : 'no-proxy';
}

/** Whether a call counts: in plain text, and let through. What is refused today is cut off already. */
export function wasPlainText({ mtls, decision }: ObservedCall): boolean {
  return !mtls && decision === 'ALLOW';
}

const byName = indexedBy<Workload>((workload) => [keyOf(workload)]);

/**
 * Judges calls that were let through in plain text. Where it is not known whether a port would go on taking them, they are cut off.
 * @param after the mesh as it is to be
 */
export function plainTextJudge(after: Snapshot): (call: ObservedCall) => PlainTextCall {
  const known = new Map<string, Map<number | undefined, boolean>>();
  const named = (name: string): Workload | undefined => byName(after.workloads, name)[0];
  return (call) => {
    const { destination, port } = call;
    const workload = named(destination);
    const ports = known.get(destination) ?? new Map<number | undefined, boolean>();
    known.set(destination, ports);
    const takes = ports.get(port) ?? surelyTakesPlainText(after, workload ?? unknown(destination), port);
    ports.set(port, takes);
    return { kind: kindOf(call, workload, call.caller === undefined ? undefined : named(call.caller)), cutOff: !takes };
  };
}

/** What is called and not configured is, as far as policies tell, a workload that none of them selects. */
function unknown(destination: string): SettledWorkload {
  return { namespace: destination.split('/', 1)[0] ?? '', labels: {}, instances: undefined };
}
