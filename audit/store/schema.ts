/**
 * The schema, as a list of steps; a store is at step N when steps 1 to N were applied. Steps are never edited, only added.
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
]);

/** Takes no row where the sequence is another. */
export const UPSERT_RECEIPT = `
  INSERT INTO receipt (source, sequence, updated) VALUES (:source, :upTo, :now)
  ON CONFLICT (source) DO UPDATE SET sequence = excluded.sequence, updated = excluded.updated WHERE sequence = :after`;

export const SELECT_RECEIPT = 'SELECT sequence FROM receipt WHERE source = ?';

/** Runs of agents that are long gone. */
export const FORGET_RECEIPTS = 'DELETE FROM receipt WHERE updated < ?';

export const SELECT_CALLS = 'SELECT * FROM call WHERE last_seen >= ? ORDER BY workload, service';

export const UPSERT_CALL = `
  INSERT INTO call (workload, service, first_seen, last_seen) VALUES (?, ?, ?, ?)
  ON CONFLICT (workload, service) DO UPDATE SET
    first_seen = min(first_seen, excluded.first_seen),
    last_seen = max(last_seen, excluded.last_seen)`;

export const FORGET_CALLS = 'DELETE FROM call WHERE last_seen < ?';

export const INSERT_EDGE = `
  INSERT INTO edge (digest, source_principal, source_workload, source_address, destination_principal, destination_workload,
    service, port, protocol, method, path, mtls, decision, verdict, policy, rule, detail, marks)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (digest) DO UPDATE SET port = port RETURNING id`;

export const UPSERT_BUCKET = `
  INSERT INTO bucket (minute, edge, count, bytes_received, bytes_sent, latency_sum_us, latency_max_us,
    status_none, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, first_seen, last_seen)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (minute, edge) DO UPDATE SET
    count = count + excluded.count,
    bytes_received = bytes_received + excluded.bytes_received,
    bytes_sent = bytes_sent + excluded.bytes_sent,
    latency_sum_us = latency_sum_us + excluded.latency_sum_us,
    latency_max_us = max(latency_max_us, excluded.latency_max_us),
    status_none = status_none + excluded.status_none,
    status_1xx = status_1xx + excluded.status_1xx,
    status_2xx = status_2xx + excluded.status_2xx,
    status_3xx = status_3xx + excluded.status_3xx,
    status_4xx = status_4xx + excluded.status_4xx,
    status_5xx = status_5xx + excluded.status_5xx,
    first_seen = min(first_seen, excluded.first_seen),
    last_seen = max(last_seen, excluded.last_seen)`;

export const UPSERT_LOSS = `
  INSERT INTO loss (minute, reason, count) VALUES (?, ?, ?) ON CONFLICT (minute, reason) DO UPDATE SET count = count + excluded.count`;

/** Edges stay: they are few, bounded by intake, and come back. */
export const FORGET = `
  DELETE FROM bucket WHERE (minute, edge) IN (SELECT minute, edge FROM bucket WHERE minute < ? ORDER BY minute LIMIT ?)`;

/** Buckets of which some call lies in [since, until); a bucket is not split. */
export const SELECT_EDGES = `
  SELECT edge.*, bucket.* FROM bucket JOIN edge ON edge.id = bucket.edge
  WHERE bucket.minute BETWEEN ? AND ? AND bucket.last_seen >= ? AND bucket.first_seen < ?`;

export const SELECT_LOSSES = 'SELECT minute, reason, count FROM loss WHERE minute BETWEEN ? AND ? ORDER BY minute, reason';

/**
 * Between one writer's end (or last write, when it never closed) and the start of the next. Not between writers of one run:
 * a recorder that opens its store anew kept its counts in memory. The newest may be at work.
 */
export const SELECT_GAPS = `
  SELECT * FROM (
    SELECT coalesce(stopped, last_write) AS since, lead(started) OVER (ORDER BY id) AS until, stopped IS NULL AS killed,
      run <> '' AND run = lead(run) OVER (ORDER BY id) AS same_run
    FROM writer
  ) WHERE until > ? AND since < ? AND (killed = 1 OR until > since) AND NOT same_run ORDER BY since`;
