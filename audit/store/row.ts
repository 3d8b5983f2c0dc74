import { type EdgeKey, keyValues, type Tally } from '../model/edge.ts';
import { dimensionsOf } from '../model/edge-filter.ts';
import { NO_LATENCIES } from '../model/latency.ts';
import { LATENCY_COLUMNS } from './schema.ts';
import { PROTOCOLS, VERDICT_KINDS } from '../model/record.ts';
import type { SqlValue } from './sql.ts';

const [FIRST_LATENCY = ''] = LATENCY_COLUMNS;

export type Row = Readonly<Record<string, unknown>>;

/** Thrown for a file that is not what the schema says: damage or a stranger's file. */
class DamagedStore extends Error {}

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new DamagedStore(`column ${column} is not text`);
  return value;
}

export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new DamagedStore(`column ${column} is not a number`);
  return value;
}

function oneOf<T extends string>(row: Row, column: string, values: readonly T[]): T {
  const found = values.find((value) => value === row[column]);
  if (found === undefined) throw new DamagedStore(`column ${column} has an unknown value`);
  return found;
}

/** The columns of `edge` after the digest, in the order of `EDGE`. */
export function keyColumns(key: EdgeKey): readonly SqlValue[] {
  return [...keyValues(key).map((value) => (typeof value === 'boolean' ? Number(value) : value)), ...dimensionColumns(key)];
}

/** The columns of `edge` that follow from its key, in the order of `DIMENSION_COLUMNS`. */
export function dimensionColumns(key: EdgeKey): readonly SqlValue[] {
  const of = dimensionsOf(key);
  return [
    of.sourceNamespace,
    of.sourceName,
    of.destinationNamespace,
    of.destinationName,
    of.serviceNamespace,
    Number(of.wouldDeny),
  ];
}

/** The columns of `bucket` after time and edge, in the order of `TALLY_COLUMNS`. */
export function tallyColumns(tally: Tally): readonly SqlValue[] {
  return [
    tally.count,
    tally.bytesReceived,
    tally.bytesSent,
    tally.latencySumUs,
    tally.latencyMaxUs,
    ...tally.statuses,
    tally.firstSeen,
    tally.lastSeen,
    ...tally.latencies.map((count) => (count === 0 ? null : count)),
  ];
}

/** A row of `edge`. */
export function keyOf(row: Row): EdgeKey {
  return {
    sourcePrincipal: text(row, 'source_principal'),
    sourceWorkload: text(row, 'source_workload'),
    sourceAddress: text(row, 'source_address'),
    destinationPrincipal: text(row, 'destination_principal'),
    destinationWorkload: text(row, 'destination_workload'),
    service: text(row, 'service'),
    port: integer(row, 'port'),
    protocol: oneOf(row, 'protocol', PROTOCOLS),
    method: text(row, 'method'),
    path: text(row, 'path'),
    mtls: integer(row, 'mtls') === 1,
    decision: oneOf(row, 'decision', ['ALLOW', 'DENY']),
    verdict: oneOf(row, 'verdict', VERDICT_KINDS),
    policy: text(row, 'policy'),
    rule: integer(row, 'rule'),
    detail: text(row, 'detail'),
    marks: text(row, 'marks'),
  };
}

/** A row of a table of buckets, or a sum of such, with or without how many calls took how long. */
export function tallyOfRow(row: Row): Tally {
  return {
    count: integer(row, 'count'),
    bytesReceived: integer(row, 'bytes_received'),
    bytesSent: integer(row, 'bytes_sent'),
    latencySumUs: integer(row, 'latency_sum_us'),
    latencyMaxUs: integer(row, 'latency_max_us'),
    latencies:
      FIRST_LATENCY in row ? LATENCY_COLUMNS.map((column) => (row[column] === null ? 0 : integer(row, column))) : NO_LATENCIES,
    statuses: [
      integer(row, 'status_none'),
      integer(row, 'status_1xx'),
      integer(row, 'status_2xx'),
      integer(row, 'status_3xx'),
      integer(row, 'status_4xx'),
      integer(row, 'status_5xx'),
    ],
    firstSeen: integer(row, 'first_seen'),
    lastSeen: integer(row, 'last_seen'),
  };
}
