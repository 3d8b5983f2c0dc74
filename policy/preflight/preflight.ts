import { keyOf } from '../../mesh/model/object.ts';
import type { Port } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import type { ObservedCall } from '../observed/call.ts';
import { asStrict, type StrictTarget } from './as-strict.ts';
import { type ClusterCall, cutOffClusterCalls } from './cluster-calls.ts';
import { type PlainTextKind, plainTextJudge, wasPlainText } from './plain-text.ts';
import { type PlainTextSetting, plainTextSetting } from './setting.ts';

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
  readonly mode: Extract<PlainTextSetting, { readonly takes: true }>['mode'];
  /** `NAMESPACE/NAME` of the PeerAuthentication; else what does, in words. */
  readonly setBy: string;
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

function exceptedPorts(snapshot: Snapshot, workload: Workload): readonly ExceptedPort[] {
  const destination = keyOf(workload);
  const named = snapshot.peerAuthentications
    .filter(({ meta }) => meta.namespace === workload.namespace)
    .flatMap(({ portLevel }) => [...portLevel.keys()]);
  const ports = [...new Set<Port>([...workload.ports.map(({ port }) => port), ...named])].sort((a, b) => a - b);
  const all = plainTextSetting(snapshot, workload, undefined);
  const of = (port: number | undefined, setting: PlainTextSetting): readonly ExceptedPort[] =>
    !setting.takes || setting.setBy === undefined ? [] : [{ destination, port, mode: setting.mode, setBy: setting.setBy }];
  return [
    ...of(undefined, all),
    ...ports.flatMap((port) => {
      const setting = plainTextSetting(snapshot, workload, port);
      const isAsAll = setting.takes ? all.takes && setting.mode === all.mode : !all.takes;
      return isAsAll ? [] : of(port, setting);
    }),
  ];
}

/** Who would be cut off if a namespace, or a workload, took mutual TLS only. Pure. */
export function preflight(snapshot: Snapshot, target: StrictTarget, calls: Iterable<ObservedCall>): Preflight {
  const strict = asStrict(snapshot, target);
  const workloads = snapshot.workloads.filter((one) =>
    target.workload === undefined ? one.namespace === target.namespace : one === target.workload,
  );
  const concerned = new Set(workloads.map(keyOf));
  // What is called and not configured (any more) is of the namespace all the same.
  const concerns = ({ destination }: ObservedCall): boolean =>
    target.workload === undefined ? destination.startsWith(`${target.namespace}/`) : concerned.has(destination);
  const judge = plainTextJudge(strict);
  const cutOff = new Map<string, PlainTextCaller>();
  const excepted = new Map<string, PlainTextCaller>();
  let mtlsCalls = 0;
  for (const call of calls) {
    if (!concerns(call)) continue;
    if (call.mtls && call.decision === 'ALLOW') mtlsCalls += call.count;
    if (!wasPlainText(call)) continue;
    const { kind, cutOff: isCutOff } = judge(call);
    const into = isCutOff ? cutOff : excepted;
    const key = JSON.stringify([
      kind,
      call.caller ?? (kind === 'unknown' ? call.address : undefined),
      call.destination,
      call.port,
    ]);
    into.set(key, merged(into.get(key), call, kind));
  }
  const mostFirst = (a: PlainTextCaller, b: PlainTextCaller): number => b.calls - a.calls || b.lastSeen - a.lastSeen;
  return {
    cutOff: [...cutOff.values()].sort(mostFirst),
    excepted: [...excepted.values()].sort(mostFirst),
    clusterCalls: cutOffClusterCalls(snapshot, strict, workloads),
    exceptedPorts: workloads.flatMap((workload) => exceptedPorts(strict, workload)),
    mtlsCalls,
    workloads: workloads.map(keyOf).sort(),
  };
}
