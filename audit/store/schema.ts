import { LATENCY_BUCKETS } from '../model/latency.ts';

const FIRST_TALLY_COLUMNS = Object.freeze([
  'count',
  'bytes_received',
  'bytes_sent',
  'latency_sum_us',
  'latency_max_us',
  'status_none',
  'status_1xx',
  'status_2xx',
  'status_3xx',
  'status_4xx',
  'status_5xx',
  'first_seen',
  'last_seen',
] as const);

/** NULL for none, which takes no room on either engine. */
export const LATENCY_COLUMNS: readonly string[] = Object.freeze(
  Array.from({ length: LATENCY_BUCKETS }, (_, index) => `latency_${index}`),
);

/** What is added up in buckets: columns of integers. */
export const TALLY_COLUMNS: readonly string[] = Object.freeze([...FIRST_TALLY_COLUMNS, ...LATENCY_COLUMNS]);

const TALLY = FIRST_TALLY_COLUMNS.map((column) => `${column} INTEGER NOT NULL`).join(', ');

/** What totals are kept by: enough for questions about namespaces and verdicts. Named as in `edge`. */
export const GROUP_COLUMNS = Object.freeze([
  'source_namespace',
  'destination_namespace',
  'service_namespace',
  'decision',
  'verdict',
  'mtls',
  'would_deny',
] as const);

const GROUP_OF_EDGE = GROUP_COLUMNS.map((column) =>
  column === 'verdict' ? `CASE WHEN edge.verdict = 'unreached' THEN 'unreached' ELSE '' END` : `edge.${column}`,
);

/** Edges are looked up by these, so each has an index. */
const LOOKED_UP = Object.freeze([
  'source_namespace',
  'source_name',
  'destination_namespace',
  'destination_name',
  'service_namespace',
  'source_principal',
  'source_workload',
  'destination_principal',
  'destination_workload',
  'service',
] as const);

/**
 * The schema, as a list of steps; a store is at step N when steps 1 to N were applied. Steps are never edited, only added.
 * They are written in SQLite's words; see `ofPostgres` for the other engine.
 * `edge` holds what tells calls apart, once; `bucket` what was counted in each minute. Absent texts are empty, not NULL.
 */
export const MIGRATIONS: readonly string[] = Object.freeze([
  `
  CREATE TABLE edge (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    source_principal TEXT NOT NULL,
    source_workload TEXT NOT NULL,
    source_address TEXT NOT NULL,
    destination_principal TEXT NOT NULL,
    destination_workload TEXT NOT NULL,
    service TEXT NOT NULL,
    port INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    mtls INTEGER NOT NULL,
    decision TEXT NOT NULL,
    verdict TEXT NOT NULL,
    policy TEXT NOT NULL,
    rule INTEGER NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
  CREATE TABLE bucket (
    minute INTEGER NOT NULL,
    edge INTEGER NOT NULL REFERENCES edge (id),
    count INTEGER NOT NULL,
    bytes_received INTEGER NOT NULL,
    bytes_sent INTEGER NOT NULL,
    latency_sum_us INTEGER NOT NULL,
    latency_max_us INTEGER NOT NULL,
    status_none INTEGER NOT NULL,
    status_1xx INTEGER NOT NULL,
    status_2xx INTEGER NOT NULL,
    status_3xx INTEGER NOT NULL,
    status_4xx INTEGER NOT NULL,
    status_5xx INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (minute, edge)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE loss (
    minute INTEGER NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (minute, reason)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE writer (
    id INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    last_write INTEGER NOT NULL,
    stopped INTEGER
  ) STRICT;
  `,
  `ALTER TABLE writer ADD COLUMN run TEXT NOT NULL DEFAULT ''`,
  `ALTER TABLE edge ADD COLUMN marks TEXT NOT NULL DEFAULT ''`,
  // Which services a workload calls, as its own proxy says it: a row for each pair, so that it is read at once at the start.
  `
  CREATE TABLE call (
    workload TEXT NOT NULL,
    service TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (workload, service)
  ) STRICT, WITHOUT ROWID;
  `,
  // Up to which sequence the messages of each run of an agent are in the store; \`updated\` in ms.
  `
  CREATE TABLE receipt (
    source TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    updated INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // Hours and days, and where edges are found by. Rows of buckets by time are few; by edge, all of a period lie together.
  `
  ALTER TABLE writer ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE edge ADD COLUMN source_namespace TEXT NOT NULL DEFAULT '';
  ALTER TABLE edge ADD COLUMN source_name TEXT NOT NULL DEFAULT '';
  ALTER TABLE edge ADD COLUMN destination_namespace TEXT NOT NULL DEFAULT '';
  ALTER TABLE edge ADD COLUMN destination_name TEXT NOT NULL DEFAULT '';
  ALTER TABLE edge ADD COLUMN service_namespace TEXT NOT NULL DEFAULT '';
  ALTER TABLE edge ADD COLUMN would_deny INTEGER NOT NULL DEFAULT 0;
  ${LOOKED_UP.map((column) => `CREATE INDEX edge_${column} ON edge (${column});`).join('\n  ')}
  CREATE INDEX edge_denied ON edge (id) WHERE decision = 'DENY';
  CREATE INDEX edge_would_deny ON edge (id) WHERE would_deny = 1;
  CREATE INDEX edge_plain ON edge (id) WHERE mtls = 0;
  CREATE INDEX edge_unreached ON edge (id) WHERE verdict = 'unreached';
  CREATE INDEX bucket_edge ON bucket (edge, minute);
  CREATE TABLE bucket_hour (
    edge INTEGER NOT NULL REFERENCES edge (id), at INTEGER NOT NULL, ${TALLY}, PRIMARY KEY (edge, at)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE bucket_day (
    edge INTEGER NOT NULL REFERENCES edge (id), at INTEGER NOT NULL, ${TALLY}, PRIMARY KEY (edge, at)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rollup (
    hour INTEGER NOT NULL,
    hour_edge INTEGER NOT NULL,
    day INTEGER NOT NULL,
    day_edge INTEGER NOT NULL,
    minutes_from INTEGER NOT NULL,
    hours_from INTEGER NOT NULL,
    days_from INTEGER NOT NULL
  ) STRICT;
  INSERT INTO rollup VALUES (0, 0, 0, 0, 0, 0, 0);
  `,
  `ALTER TABLE writer ADD COLUMN direct INTEGER NOT NULL DEFAULT 1`,
  ['bucket', 'bucket_hour', 'bucket_day']
    .flatMap((table) => LATENCY_COLUMNS.map((column) => `ALTER TABLE ${table} ADD COLUMN ${column} INTEGER;`))
    .join('\n'),
  // Which certificates made the calls of an edge, by hour (\`at\`, since 1970), later by day: under the first hour of it. An empty serial number
  // stands for those beyond what is told apart.
  `
  CREATE TABLE certificate_use (
    edge INTEGER NOT NULL REFERENCES edge (id),
    at INTEGER NOT NULL,
    serial BLOB NOT NULL,
    count INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (edge, at, serial)
  ) STRICT, WITHOUT ROWID;
  `,
  // Sums of minutes over all edges between the same namespaces: what a series asks for.
  `
  CREATE TABLE total_group (
    id INTEGER PRIMARY KEY,
    source_namespace TEXT NOT NULL,
    destination_namespace TEXT NOT NULL,
    service_namespace TEXT NOT NULL,
    decision TEXT NOT NULL,
    verdict TEXT NOT NULL,
    mtls INTEGER NOT NULL,
    would_deny INTEGER NOT NULL,
    UNIQUE (${GROUP_COLUMNS.join(', ')})
  ) STRICT;
  CREATE TABLE total (
    edge_group INTEGER NOT NULL REFERENCES total_group (id),
    minute INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (edge_group, minute)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX total_minute ON total (minute);
  INSERT INTO total_group (${GROUP_COLUMNS.join(', ')}) SELECT DISTINCT ${GROUP_OF_EDGE.join(', ')} FROM edge;
  INSERT INTO total SELECT g.id, b.minute, sum(b.count) FROM bucket AS b JOIN edge ON edge.id = b.edge
    JOIN total_group AS g ON ${GROUP_COLUMNS.map((column, index) => `g.${column} = ${GROUP_OF_EDGE[index] ?? ''}`).join(' AND ')}
    GROUP BY g.id, b.minute;
  `,
  // What replicas alerted, by the SHA-256 of its key, and when (ms).
  `
  CREATE TABLE alert_told (
    digest BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (digest)
  ) STRICT, WITHOUT ROWID;
  `,
]);

/** From this step on, edges have the columns of `DIMENSION_COLUMNS`; those that were there before get them when it is applied. */
export const DIMENSIONS_STEP = 6;

export const DIMENSION_COLUMNS = Object.freeze([
  'source_namespace',
  'source_name',
  'destination_namespace',
  'destination_name',
  'service_namespace',
  'would_deny',
] as const);

/** A step in PostgreSQL's words. */
export function ofPostgres(step: string): string {
  return step
    .replaceAll(/\bINTEGER PRIMARY KEY\b(?=,)/g, 'BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY')
    .replaceAll(/\bINTEGER\b/g, 'BIGINT')
    .replaceAll(/\bBLOB\b/g, 'BYTEA')
    .replaceAll(/\) STRICT(, WITHOUT ROWID)?/g, ')');
}
