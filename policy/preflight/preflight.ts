import { keyOf } from '../../mesh/model/object.ts';
import { type Port, parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { containerPort, type Workload } from '../../mesh/model/workload.ts';
import { clusterCalls } from '../diagnose/probes.ts';
import { Survey } from '../diagnose/survey.ts';
import type { ObservedCall } from '../observed/call.ts';
import { type MtlsSetting, mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { asStrict, PREFLIGHT, type StrictTarget } from './as-strict.ts';

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

/** Calls in plain text of one caller to one port. Times are ms since the epoch. */
export interface PlainTextCaller {
  readonly kind: PlainTextKind;
  /** `NAMESPACE/NAME`, where it is known. */
  readonly caller: string | undefined;
  readonly addresses: readonly string[];
  /** `NAMESPACE/NAME`. */
  readonly destination: string;
  readonly port: number | undefined;
  readonly calls: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Methods and paths, some of them. */
  readonly requests: readonly string[];
}

/** A port that takes plain text whatever the namespace says. */
export interface ExceptedPort {
  readonly destination: string;
  /** Undefined: all that no policy names. */
  readonly port: number | undefined;
  readonly mode: 'PERMISSIVE' | 'DISABLE';
  /** `NAMESPACE/NAME` of the PeerAuthentication. */
  readonly setBy: string;
}

/** A probe or a scrape that is configured and would be denied, whether or not it was seen. */
export interface ClusterCall {
  readonly kind: 'probe' | 'scrape';
  /** `KIND NAMESPACE/NAME`. */
  readonly object: string;
  readonly text: string;
  readonly hint: string | undefined;
  /** False where an injector would have it come another way. */
  readonly certain: boolean;
}

export interface Preflight {
  /** STRICT would cut these off. Most calls first. */
  readonly cutOff: readonly PlainTextCaller[];
  /** Call in plain text a port that goes on taking it. */
  readonly excepted: readonly PlainTextCaller[];
  readonly clusterCalls: readonly ClusterCall[];
  readonly exceptedPorts: readonly ExceptedPort[];
  /** Calls of these that arrived with mutual TLS, and were let through. */
  readonly mtlsCalls: number;
  /** The workloads that were looked at, `NAMESPACE/NAME`. */
  readonly workloads: readonly string[];
}

/** Nobody would be cut off, as far as records and configuration tell. */
export function isSafe({ cutOff, clusterCalls: calls }: Pick<Preflight, 'cutOff' | 'clusterCalls'>): boolean {
  return cutOff.length === 0 && calls.every(({ certain }) => !certain);
}

const MOST_REQUESTS = 5;
const MOST_ADDRESSES = 10;

function isProbe({ method, path, port }: ObservedCall, workload: Workload): boolean {
  return (workload.probes ?? []).some((probe) => {
    const own = typeof probe.port === 'number' ? probe.port : containerPort(workload, probe.port);
    return probe.method === method && probe.path?.split('?')[0] === path && (port === undefined || own === port);
  });
}

function isScrape({ method, path, port }: ObservedCall, { annotations, ports }: Workload): boolean {
  if (annotations?.['prometheus.io/scrape'] !== 'true' || method !== 'GET') return false;
  const own = Number(annotations['prometheus.io/port'] ?? ports[0]?.port);
  return (annotations['prometheus.io/path'] ?? '/metrics') === path && (port === undefined || port === own);
}

function kindOf(call: ObservedCall, workload: Workload, caller: Workload | undefined): PlainTextKind {
  if (isProbe(call, workload)) return 'probe';
  if (isScrape(call, workload)) return 'scrape';
  if (caller === undefined) return 'unknown';
  return caller.hasProxy === true || caller.instances.some(({ meshed }) => meshed) ? 'with-proxy' : 'no-proxy';
}

function merged(known: PlainTextCaller | undefined, call: ObservedCall, kind: PlainTextKind): PlainTextCaller {
  const { caller, destination, port, count, firstSeen, lastSeen, address } = call;
  const request = call.protocol === 'TCP' ? 'TCP' : `${call.method ?? ''} ${call.path ?? ''}`;
  const with_ = (list: readonly string[], one: string | undefined, most: number): readonly string[] =>
    one === undefined || list.includes(one) || list.length >= most ? list : [...list, one].sort();
  return {
    kind,
    caller,
    destination,
    port,
    addresses: with_(known?.addresses ?? [], address, MOST_ADDRESSES),
    requests: with_(known?.requests ?? [], request, MOST_REQUESTS),
    calls: (known?.calls ?? 0) + count,
    firstSeen: Math.min(known?.firstSeen ?? firstSeen, firstSeen),
    lastSeen: Math.max(known?.lastSeen ?? lastSeen, lastSeen),
  };
}

function settingOf(snapshot: Snapshot, workload: Workload, number: number | undefined): MtlsSetting {
  const port = parsePort(number ?? 0);
  return port === undefined ? workloadMtlsSetting(snapshot, workload) : mtlsSetting(snapshot, workload, port);
}

function exceptedPorts(snapshot: Snapshot, workload: Workload): readonly ExceptedPort[] {
  const destination = keyOf(workload);
  const named = snapshot.peerAuthentications
    .filter(({ meta }) => meta.namespace === workload.namespace)
    .flatMap(({ portLevel }) => [...portLevel.keys()]);
  const ports = [...new Set<Port>([...workload.ports.map(({ port }) => port), ...named])].sort((a, b) => a - b);
  const all = workloadMtlsSetting(snapshot, workload);
  const of = (port: number | undefined, { mode, setBy }: MtlsSetting): readonly ExceptedPort[] =>
    mode === 'STRICT' || setBy === undefined ? [] : [{ destination, port, mode, setBy }];
  return [
    ...of(undefined, all),
    ...ports.flatMap((port) => {
      const setting = mtlsSetting(snapshot, workload, port);
      return setting.mode === all.mode ? [] : of(port, setting);
    }),
  ];
}

/** Probes and scrapes that would be denied then, and are not today. */
function deniedCalls(before: Snapshot, after: Snapshot, namespace: string, objects: ReadonlySet<string>): readonly ClusterCall[] {
  const found = (snapshot: Snapshot): readonly (ClusterCall & { readonly key: string })[] =>
    clusterCalls(new Survey(snapshot, namespace)).flatMap((one) => {
      const object = one.object ?? '';
      if (!objects.has(object)) return [];
      const kind = one.code === 'probe-denied' ? 'probe' : 'scrape';
      const text = one.message.replaceAll(`PeerAuthentication ${namespace}/${PREFLIGHT}`, 'the PeerAuthentication to be');
      return [{ kind, object, text, hint: one.hint, certain: one.severity === 'warning', key: `${one.field ?? ''} ${one.code}` }];
    });
  const today = new Set(found(before).map(({ object, key }) => `${object} ${key}`));
  return found(after).flatMap(({ key, ...one }) => (today.has(`${one.object} ${key}`) ? [] : [one]));
}

/** Who would be cut off if a namespace, or a workload, took mutual TLS only. Pure. */
export function preflight(snapshot: Snapshot, target: StrictTarget, calls: Iterable<ObservedCall>): Preflight {
  const strict = asStrict(snapshot, target);
  const workloads = snapshot.workloads.filter((one) =>
    target.workload === undefined ? one.namespace === target.namespace : one === target.workload,
  );
  const byName = new Map(workloads.map((one) => [keyOf(one), one]));
  const all = new Map(snapshot.workloads.map((one) => [keyOf(one), one]));
  const cutOff = new Map<string, PlainTextCaller>();
  const excepted = new Map<string, PlainTextCaller>();
  let mtlsCalls = 0;
  for (const call of calls) {
    const workload = byName.get(call.destination);
    // What policies deny today is cut off already.
    if (workload === undefined || call.decision === 'DENY') continue;
    if (call.mtls) {
      mtlsCalls += call.count;
      continue;
    }
    const kind = kindOf(call, workload, call.caller === undefined ? undefined : all.get(call.caller));
    const into = settingOf(strict, workload, call.port).mode === 'STRICT' ? cutOff : excepted;
    const key = JSON.stringify([
      kind,
      call.caller ?? (kind === 'unknown' ? call.address : undefined),
      call.destination,
      call.port,
    ]);
    into.set(key, merged(into.get(key), call, kind));
  }
  const mostFirst = (a: PlainTextCaller, b: PlainTextCaller): number => b.calls - a.calls || b.lastSeen - a.lastSeen;
  const objects = new Set(workloads.map(({ meta }) => `${meta.kind} ${keyOf(meta)}`));
  return {
    cutOff: [...cutOff.values()].sort(mostFirst),
    excepted: [...excepted.values()].sort(mostFirst),
    clusterCalls: deniedCalls(snapshot, strict, target.namespace, objects),
    exceptedPorts: workloads.flatMap((workload) => exceptedPorts(strict, workload)),
    mtlsCalls,
    workloads: workloads.map(keyOf).sort(),
  };
}
