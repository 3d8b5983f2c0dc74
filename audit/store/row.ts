import type { SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { type Edge, type EdgeKey, keyValues, type Tally } from '../model/edge.ts';
import { PROTOCOLS, VERDICT_KINDS } from '../model/record.ts';

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** Thrown for a file that is not what the schema says: damage or a stranger's file. */
export class DamagedStore extends Error {}

function text(row: Row, column: string): string {
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

/** The columns of `edge` after the digest, in the order of INSERT_EDGE. */
export function keyColumns(key: EdgeKey): readonly SQLInputValue[] {
  return keyValues(key).map((value) => (typeof value === 'boolean' ? Number(value) : value));
}

/** The columns of `bucket` after minute and edge, in the order of UPSERT_BUCKET. */
export function tallyColumns(tally: Tally): readonly SQLInputValue[] {
  return [
    tally.count,
    tally.bytesReceived,
    tally.bytesSent,
    tally.latencySumUs,
    tally.latencyMaxUs,
    ...tally.statuses,
    tally.firstSeen,
    tally.lastSeen,
  ];
}

/** A row of SELECT_EDGES. */
export function edgeOf(row: Row): Edge {
  return {
    key: {
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
      // Absent in a file of an older version that is only read.
      marks: row['marks'] === undefined ? '' : text(row, 'marks'),
    },
    minute: integer(row, 'minute'),
    tally: {
      count: integer(row, 'count'),
      bytesReceived: integer(row, 'bytes_received'),
      bytesSent: integer(row, 'bytes_sent'),
      latencySumUs: integer(row, 'latency_sum_us'),
      latencyMaxUs: integer(row, 'latency_max_us'),
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
    },
  };
}
