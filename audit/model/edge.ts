import { addUses, type CertificateUse, oneUse } from './certificate-use.ts';
import { addLatencies, latencyOf, type Latencies, NO_LATENCIES } from './latency.ts';
import { marksText } from './mark.ts';
import type { AccessRecord, Protocol, Verdict } from './record.ts';
import { isDenied } from './record.ts';

/** All dimensions by which calls are told apart. Absent is the empty string, so that a key is total and comparable. */
export interface EdgeKey {
  readonly sourcePrincipal: string;
  readonly sourceWorkload: string;
  /** Only for callers without a proven identity: the addresses of those that have one come and go with their pods. */
  readonly sourceAddress: string;
  readonly destinationPrincipal: string;
  readonly destinationWorkload: string;
  readonly service: string;
  /** 0 when unknown. */
  readonly port: number;
  readonly protocol: Protocol;
  readonly method: string;
  /** A path template. */
  readonly path: string;
  readonly mtls: boolean;
  readonly decision: 'ALLOW' | 'DENY';
  readonly verdict: Verdict['kind'];
  /** `NAMESPACE/NAME` of the policy whose rule decided. */
  readonly policy: string;
  /** -1 when no rule is named. */
  readonly rule: number;
  /** denied-no-rule, allowed-unnamed: the ALLOW policies that apply, joined by a comma; unreached: the cause; denied-custom: `ANSWER:PROVIDER`. */
  readonly detail: string;
  /** See `marksText`. */
  readonly marks: string;
}

/** What is added up for a key. Times are ms since the epoch. */
export interface Tally {
  readonly count: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly latencySumUs: number;
  readonly latencyMaxUs: number;
  readonly latencies: Latencies;
  /** Counts by class of status; index 0 counts calls without a status (TCP, no response). */
  readonly statuses: readonly [number, number, number, number, number, number];
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** The calls of one key within one minute. `minute` counts minutes since the epoch. */
export interface Edge {
  readonly key: EdgeKey;
  readonly minute: number;
  readonly tally: Tally;
  /** The certificates that callers showed, as far as proxies named them; no two of one serial number. Absent: none were named, or asked for. */
  readonly certificates?: readonly CertificateUse[];
}

/** Policies are listed in a `detail` with this between them; neither namespaces nor names can contain it. */
export const POLICY_SEPARATOR = ',';

function decided(verdict: Verdict): Pick<EdgeKey, 'policy' | 'rule' | 'detail'> {
  switch (verdict.kind) {
    case 'allowed-by-rule':
    case 'denied-by-rule':
      return { policy: verdict.by.policy, rule: verdict.by.rule ?? -1, detail: '' };
    case 'denied-no-rule':
    case 'allowed-unnamed':
      return { policy: '', rule: -1, detail: verdict.policies.join(POLICY_SEPARATOR) };
    case 'denied-custom':
      return {
        policy: verdict.by?.policy ?? '',
        rule: verdict.by?.rule ?? -1,
        detail: verdict.provider === undefined ? '' : `${verdict.answer ?? 'denied'}:${verdict.provider}`,
      };
    case 'unreached':
      return { policy: '', rule: -1, detail: verdict.cause };
    case 'allowed-no-policy':
    case 'denied-transport':
    case 'denied-token':
      return { policy: '', rule: -1, detail: '' };
    default:
      return verdict satisfies never;
  }
}

export function edgeKeyOf(record: AccessRecord): EdgeKey {
  return {
    sourcePrincipal: record.source.principal ?? '',
    sourceWorkload: record.source.workload ?? '',
    sourceAddress: record.source.principal === undefined ? (record.source.address ?? '') : '',
    destinationPrincipal: record.destination.principal ?? '',
    destinationWorkload: record.destination.workload ?? '',
    service: record.service ?? '',
    port: record.port ?? 0,
    protocol: record.protocol,
    method: record.method,
    path: record.template,
    mtls: record.mtls,
    decision: isDenied(record.verdict) ? 'DENY' : 'ALLOW',
    verdict: record.verdict.kind,
    ...decided(record.verdict),
    marks: marksText(record.marks ?? []),
  };
}

/** The values of a key in one fixed order, which stores rely on. */
export function keyValues(key: EdgeKey): readonly (string | number | boolean)[] {
  return [
    key.sourcePrincipal,
    key.sourceWorkload,
    key.sourceAddress,
    key.destinationPrincipal,
    key.destinationWorkload,
    key.service,
    key.port,
    key.protocol,
    key.method,
    key.path,
    key.mtls,
    key.decision,
    key.verdict,
    key.policy,
    key.rule,
    key.detail,
    key.marks,
  ];
}

/** One text per key, injective: the identity of an edge in maps and (hashed) in stores. */
export function keyText(key: EdgeKey): string {
  const values = keyValues(key);
  // An edge without marks is known as it was before there were any.
  return JSON.stringify(key.marks === '' ? values.slice(0, -1) : values);
}

function statusesOf(status: number): Tally['statuses'] {
  const of = Math.floor(status / 100);
  const at = (index: number): number => (of === index ? 1 : 0);
  return [of < 1 || of > 5 ? 1 : 0, at(1), at(2), at(3), at(4), at(5)];
}

export function tallyOf(record: AccessRecord): Tally {
  return {
    count: 1,
    bytesReceived: record.bytesReceived,
    bytesSent: record.bytesSent,
    latencySumUs: record.durationUs,
    latencyMaxUs: record.durationUs,
    latencies: latencyOf(record.durationUs),
    statuses: statusesOf(record.status),
    firstSeen: record.time,
    lastSeen: record.time,
  };
}

/** Addition of tallies: commutative and associative, so that the order of batches does not matter. */
export function add(a: Tally, b: Tally): Tally {
  const [a0, a1, a2, a3, a4, a5] = a.statuses;
  const [b0, b1, b2, b3, b4, b5] = b.statuses;
  return {
    count: a.count + b.count,
    bytesReceived: a.bytesReceived + b.bytesReceived,
    bytesSent: a.bytesSent + b.bytesSent,
    latencySumUs: a.latencySumUs + b.latencySumUs,
    latencyMaxUs: Math.max(a.latencyMaxUs, b.latencyMaxUs),
    latencies: addLatencies(a.latencies, b.latencies),
    statuses: [a0 + b0, a1 + b1, a2 + b2, a3 + b3, a4 + b4, a5 + b5],
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
  };
}

/** What adds nothing to any tally. */
export const NOTHING: Tally = Object.freeze({
  count: 0,
  bytesReceived: 0,
  bytesSent: 0,
  latencySumUs: 0,
  latencyMaxUs: 0,
  latencies: NO_LATENCIES,
  statuses: [0, 0, 0, 0, 0, 0],
  firstSeen: Number.POSITIVE_INFINITY,
  lastSeen: 0,
} as const);

export function edgeOf(record: AccessRecord): Edge {
  const { certificate, time } = record;
  return {
    key: edgeKeyOf(record),
    minute: Math.floor(time / 60_000),
    tally: tallyOf(record),
    ...(certificate === undefined ? {} : { certificates: [oneUse(certificate, time)] }),
  };
}

/** Adds up two of the same key. */
export function addEdges(a: Edge, b: Edge): Edge {
  const certificates = addUses(a.certificates, b.certificates);
  return { ...a, tally: add(a.tally, b.tally), ...(certificates === undefined ? {} : { certificates }) };
}
