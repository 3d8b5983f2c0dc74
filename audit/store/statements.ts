import type { Insert } from './sql.ts';
import { DIMENSION_COLUMNS, GROUP_COLUMNS, LATENCY_COLUMNS, TALLY_COLUMNS } from './schema.ts';

export const KEY_COLUMNS = Object.freeze([
  'source_principal',
  'source_workload',
  'source_address',
  'destination_principal',
  'destination_workload',
  'service',
  'port',
  'protocol',
  'method',
  'path',
  'mtls',
  'decision',
  'verdict',
  'policy',
  'rule',
  'detail',
  'marks',
] as const);

const INTEGERS: ReadonlySet<string> = new Set(['port', 'mtls', 'rule', 'would_deny']);

export const EDGE: Insert = Object.freeze({
  table: 'edge',
  columns: ['digest', ...KEY_COLUMNS, ...DIMENSION_COLUMNS],
  text: [...KEY_COLUMNS, ...DIMENSION_COLUMNS].filter((column) => !INTEGERS.has(column)),
  bytes: ['digest'],
  onConflict: '(digest) DO NOTHING',
});

/** How a column of a tally is added to one that is there. */
function added(table: string, column: string): string {
  const larger = (least: boolean): string =>
    `CASE WHEN excluded.${column} ${least ? '<' : '>'} ${table}.${column} THEN excluded.${column} ELSE ${table}.${column} END`;
  switch (column) {
    case 'first_seen':
      return larger(true);
    case 'last_seen':
    case 'latency_max_us':
      return larger(false);
    default:
      return LATENCY_COLUMNS.includes(column)
        ? `CASE WHEN excluded.${column} IS NULL THEN ${table}.${column} ELSE coalesce(${table}.${column}, 0) + excluded.${column} END`
        : `${table}.${column} + excluded.${column}`;
  }
}

function upsert(table: string, key: readonly [string, string]): Insert {
  const set = TALLY_COLUMNS.map((column) => `${column} = ${added(table, column)}`).join(', ');
  return Object.freeze({ table, columns: [...key, ...TALLY_COLUMNS], onConflict: `(${key.join(', ')}) DO UPDATE SET ${set}` });
}

/** Time and edge first, then the tally. */
export const BUCKETS = Object.freeze({
  minute: upsert('bucket', ['minute', 'edge']),
  hour: upsert('bucket_hour', ['at', 'edge']),
  day: upsert('bucket_day', ['at', 'edge']),
});

function sumsOf(columns: readonly string[]): string {
  return columns.map(sumOf).join(', ');
}

function sumOf(column: string): string {
  if (column === 'first_seen') return `min(b.${column}) AS ${column}`;
  if (column === 'last_seen' || column === 'latency_max_us') return `max(b.${column}) AS ${column}`;
  return `CAST(sum(b.${column}) AS BIGINT) AS ${column}`;
}

/** The sums of rows of a table of buckets, named as its columns are. */
export const TALLY_SUMS = sumsOf(TALLY_COLUMNS);

/** The same without how many calls took how long. */
export const PLAIN_SUMS = sumsOf(TALLY_COLUMNS.filter((column) => !LATENCY_COLUMNS.includes(column)));

export const LOSS: Insert = Object.freeze({
  table: 'loss',
  columns: ['minute', 'reason', 'count'],
  text: ['reason'],
  onConflict: '(minute, reason) DO UPDATE SET count = loss.count + excluded.count',
});

export const SELECT_LOSSES = 'SELECT minute, reason, count FROM loss WHERE minute BETWEEN ? AND ? ORDER BY minute, reason';

/** Of a source that was never heard of. Changes no row where there is one that is elsewhere. */
export const FIRST_RECEIPT = `
  INSERT INTO receipt (source, sequence, updated) VALUES (?, ?, ?)
  ON CONFLICT (source) DO UPDATE SET sequence = excluded.sequence, updated = excluded.updated WHERE receipt.sequence = 0`;

export const NEXT_RECEIPT = 'UPDATE receipt SET sequence = ?, updated = ? WHERE source = ? AND sequence = ?';

export const SELECT_RECEIPT = 'SELECT sequence FROM receipt WHERE source = ?';

/** Runs of agents that are long gone. */
export const FORGET_RECEIPTS = 'DELETE FROM receipt WHERE updated < ?';

export const SELECT_CALLS = 'SELECT * FROM call WHERE last_seen >= ? ORDER BY workload, service';

export const CALL: Insert = Object.freeze({
  table: 'call',
  columns: ['workload', 'service', 'first_seen', 'last_seen'],
  text: ['workload', 'service'],
  onConflict: `(workload, service) DO UPDATE SET first_seen = ${added('call', 'first_seen')}, last_seen = ${added('call', 'last_seen')}`,
});

export const FORGET_CALLS = 'DELETE FROM call WHERE last_seen < ?';

export const CERTIFICATE_USE: Insert = Object.freeze({
  table: 'certificate_use',
  columns: ['edge', 'at', 'serial', 'count', 'first_seen', 'last_seen'],
  bytes: ['serial'],
  onConflict: `(edge, at, serial) DO UPDATE SET ${['count', 'first_seen', 'last_seen']
    .map((column) => `${column} = ${added('certificate_use', column)}`)
    .join(', ')}`,
});

export const TOTAL_GROUP: Insert = Object.freeze({
  table: 'total_group',
  columns: [...GROUP_COLUMNS],
  text: GROUP_COLUMNS.filter((column) => !INTEGERS.has(column)),
  onConflict: `(${GROUP_COLUMNS.join(', ')}) DO NOTHING`,
});

export const SELECT_GROUP = `SELECT id FROM total_group WHERE ${GROUP_COLUMNS.map((column) => `${column} = ?`).join(' AND ')}`;

export const TOTAL: Insert = Object.freeze({
  table: 'total',
  columns: ['edge_group', 'minute', 'count'],
  onConflict: '(edge_group, minute) DO UPDATE SET count = total.count + excluded.count',
});
