// How fast the audit store is on each engine: records a second through the recorder, what a store that stands for many edge-minutes costs to keep
// and to ask, and how many bytes it takes. Starts a PostgreSQL of its own where there is one.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { Recorder } from '../audit/intake/recorder.ts';
import type { StoreFilter } from '../audit/model/edge-filter.ts';
import type { AccessRecord } from '../audit/model/record.ts';
import { edgeId } from '../audit/store/digest.ts';
import type { Engine, Session } from '../audit/store/sql.ts';
import { openPostgresEngine } from '../audit/store/postgres.ts';
import { openSqliteFile } from '../audit/store/sqlite.ts';
import { openSqliteReader } from '../audit/store/sqlite-read.ts';
import { openPostgresReader } from '../audit/store/postgres.ts';
import { openPostgresStore } from '../audit/store/postgres.ts';
import { openSqliteStore } from '../audit/store/sqlite.ts';
import type { AuditStore } from '../audit/store/sql-store.ts';
import type { HistoryReader } from '../audit/store/store.ts';
import { DEFAULT_KEEPING } from '../audit/store/upkeep.ts';
import { edge, record } from '../test/audit/edges.ts';
import { PostgresServer } from '../test/audit/store/postgres-server.ts';

const HELP = `Usage: node bench/audit-store.ts [--seconds N] [--rate N] [--edges N] [--days N] [--engine sqlite|postgres] [-o table|json]

  --seconds N   how long records are written (10)
  --rate N      records a second (10000)
  --edges N     different edges, each with calls in every minute, of the store that is asked (2000)
  --days N      for how long: 2000 edges for 35 days are 100 million edge-minutes (35)
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '10000' },
    edges: { type: 'string', default: '2000' },
    days: { type: 'string', default: '35' },
    engine: { type: 'string' },
    output: { type: 'string', short: 'o', default: 'table' },
    help: { type: 'boolean', default: false },
  },
});

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-21T12:34:00Z');
const [SECONDS, RATE, EDGES, DAYS] = [values.seconds, values.rate, values.edges, values.days].map(Number) as [
  number,
  number,
  number,
  number,
];
const log = pino({ level: 'silent' });

interface Bench {
  readonly name: string;
  store(clock: () => Date): Promise<AuditStore>;
  reader(): Promise<HistoryReader>;
  engine(): Promise<Engine>;
  /** Of the whole store, once what was deleted is given back. */
  bytes(): Promise<number>;
  /** CPU seconds that others than this process have used for it so far. */
  serverCpu(): number;
  close(): Promise<void>;
}

function sqliteBench(): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  const file = join(folder, 'audit.db');
  return {
    name: 'SQLite',
    store: (clock) => openSqliteStore({ file, clock }),
    reader: () => openSqliteReader(file),
    engine: async () => (await openSqliteFile(file, () => new Date(NOW))).engine,
    bytes: async () => {
      const { db, engine } = await openSqliteFile(file, () => new Date(NOW));
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      await engine.close();
      return statSync(file).size;
    },
    serverCpu: () => 0,
    close: async () => Promise.resolve(rmSync(folder, { recursive: true })),
  };
}

async function postgresBench(): Promise<Bench | undefined> {
  const server = await PostgresServer.start();
  if (server === undefined) return undefined;
  const place = await server.place();
  return {
    name: 'PostgreSQL',
    store: (clock) => openPostgresStore({ location: place.location, clock }),
    reader: () => openPostgresReader(place.location),
    engine: () => openPostgresEngine(place.location, () => new Date(NOW)),
    bytes: async () => {
      const [row = {}] = await server.query(place.database, `SELECT pg_database_size('${place.database}') AS bytes`);
      return Number(row['bytes']);
    },
    serverCpu: () => server.cpuSeconds(),
    close: () => server.close(),
  };
}

/** Records of as many edges as 40 workloads with 50 paths have. */
function records(count: number, from: number, time: number): readonly AccessRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const at = (from + index) % 2000;
    const workload = at % 40;
    return record({
      time,
      source: { principal: undefined, workload: `ns-${workload % 10}/client-${workload}`, address: `10.0.0.${workload}` },
      destination: { principal: undefined, workload: `ns-${workload % 10}/app-${workload}`, address: undefined },
      service: `app-${workload}.ns-${workload % 10}.svc.cluster.local`,
      template: `/r${'abcdefghij'[Math.floor(at / 40) % 10] ?? ''}/${'xyzuv'[Math.floor(at / 400)] ?? ''}`,
    });
  });
}

async function intake(bench: Bench) {
  const recorder = new Recorder({ open: () => bench.store(() => new Date()), log, clock: () => new Date(), flushMs: 250 });
  const [cpu, serverCpu, began] = [process.cpuUsage(), bench.serverCpu(), performance.now()];
  let sent = 0;
  while (performance.now() - began < SECONDS * 1000) {
    const due = Math.floor(((performance.now() - began) / 1000) * RATE) - sent;
    if (due > 0) await recorder.accept(records(due, sent, Date.now()));
    sent += Math.max(0, due);
    await setTimeout(10);
  }
  await recorder.close();
  const wall = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const { stats } = recorder;
  return {
    records: sent,
    written: stats.written,
    lost: Object.values(stats.lost).reduce((sum, count) => sum + count, 0),
    perSecond: Math.round(stats.written / wall),
    cpuShare: (user + system) / 1e6 / wall,
    serverCpuShare: (bench.serverCpu() - serverCpu) / wall,
  };
}

const key = (index: number): ReturnType<typeof edge>['key'] => {
  // Each namespace calls ten others.
  const [from, to] = [index % 400, (index * 7 + Math.floor(index / 400) * 3) % 400];
  const denied = index % 50 === 7;
  return {
    ...edge().key,
    sourcePrincipal: `spiffe://cluster.local/ns/ns-${from % 40}/sa/app-${from}`,
    sourceWorkload: `ns-${from % 40}/app-${from}`,
    destinationPrincipal: `spiffe://cluster.local/ns/ns-${to % 40}/sa/app-${to}`,
    destinationWorkload: `ns-${to % 40}/app-${to}`,
    service: `app-${to}.ns-${to % 40}.svc.cluster.local`,
    path: `/p/${index}`,
    ...(denied && { decision: 'DENY' as const, verdict: 'denied-no-rule' as const, policy: '', rule: -1 }),
  };
};

/** The rows of a level from one unit to another, for all edges: made in the database. */
async function generate(session: Session, table: string, time: string, from: number, to: number, unitMs: number): Promise<void> {
  const per = unitMs / MINUTE;
  await session.run(
    `INSERT INTO ${table} (${time}, edge, count, bytes_received, bytes_sent, latency_sum_us, latency_max_us,
       status_none, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, first_seen, last_seen, latency_1, latency_2, latency_3)
     WITH RECURSIVE unit (at) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT at + 1 FROM unit WHERE at < ?)
     SELECT unit.at, edge.id, ${7 * per}, ${4000 * per}, ${9000 * per}, ${21_000 * per}, 9000, 0, 0, ${6 * per}, 0, ${per}, 0,
       unit.at * ${unitMs}, unit.at * ${unitMs} + ${unitMs - 7}, ${3 * per}, ${3 * per}, ${per} FROM unit CROSS JOIN edge ${table === 'bucket' ? '' : 'ORDER BY 2, 1'}`,
    from,
    to,
  );
}

/** The totals of the minutes that `generate` made. */
async function totals(session: Session, from: number, to: number): Promise<void> {
  await session.run(
    `INSERT INTO total (edge_group, minute, count)
     WITH RECURSIVE unit (at) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT at + 1 FROM unit WHERE at < ?)
     SELECT g.id, unit.at, 7 * g.edges FROM unit CROSS JOIN (
       SELECT total_group.id AS id, count(*) AS edges FROM edge JOIN total_group ON total_group.source_namespace = edge.source_namespace
         AND total_group.destination_namespace = edge.destination_namespace AND total_group.decision = edge.decision
       GROUP BY total_group.id) AS g ORDER BY 1, 2`,
    from,
    to,
  );
}

/** The store as it is after so many days of calls of each edge in each minute. */
async function fill(bench: Bench): Promise<{ readonly minutes: number; readonly bytesPerRow: Readonly<Record<string, number>> }> {
  // Edges of the intake's run would be part of it.
  const emptied = await bench.engine();
  await emptied.write('alone', async (session) => {
    for (const table of ['total', 'total_group', 'certificate_use', 'bucket', 'bucket_hour', 'bucket_day', 'edge'])
      await session.run(`DELETE FROM ${table}`);
  });
  await emptied.close();
  const store = await bench.store(() => new Date(NOW));
  for (let from = 0; from < EDGES; from += 1000)
    await store.append({
      edges: Array.from({ length: Math.min(1000, EDGES - from) }, (_, index) => ({
        ...edge(),
        minute: 0,
        key: key(from + index),
      })),
      losses: [],
    });
  await store.close();
  const engine = await bench.engine();
  const [hour, day] = [Math.floor(NOW / HOUR), Math.floor(NOW / DAY)];
  const [minutesFrom, hoursFrom, daysFrom] = [
    Math.floor((NOW - DEFAULT_KEEPING.minutesMs) / HOUR) * 60,
    Math.floor((NOW - Math.min(DAYS * DAY, DEFAULT_KEEPING.hoursMs)) / DAY) * 24,
    Math.floor((NOW - DAYS * DAY) / DAY),
  ];
  await engine.write('alone', async (session) => {
    for (const table of ['bucket', 'total', 'certificate_use']) await session.run(`DELETE FROM ${table}`);
  });
  const bytesPerRow: Record<string, number> = {};
  const level = async (table: string, time: string, from: number, to: number, unitMs: number): Promise<void> => {
    const before = await bench.bytes();
    // In pieces, as one statement would take too long.
    const piece = Math.max(1, Math.floor(50_000 / EDGES));
    for (let at = from; at < to; at += piece)
      await engine.write('alone', (session) => generate(session, table, time, at, Math.min(to, at + piece) - 1, unitMs));
    bytesPerRow[table] = ((await bench.bytes()) - before) / (EDGES * (to - from));
  };
  await level('bucket', 'minute', minutesFrom, NOW / MINUTE, MINUTE);
  await level('bucket_hour', 'at', hoursFrom, hour, HOUR);
  await level('bucket_day', 'at', daysFrom, day, DAY);
  const beside = async (table: string, rows: number, make: (session: Session) => Promise<unknown>): Promise<void> => {
    const before = await bench.bytes();
    await engine.write('alone', make);
    bytesPerRow[table] = ((await bench.bytes()) - before) / rows;
  };
  await beside('total', EDGES * (NOW / MINUTE - minutesFrom), (session) => totals(session, minutesFrom, NOW / MINUTE - 1));
  // A certificate lasts a day, and each edge has one at a time.
  const piece = Math.max(1, Math.floor(200_000 / EDGES));
  for (let at = hoursFrom; at < hour; at += piece)
    await beside('certificate_use', EDGES * Math.min(piece, hour - at), (session) =>
      session.run(
        `INSERT INTO certificate_use (edge, at, serial, count, first_seen, last_seen)
         WITH RECURSIVE unit (at) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT at + 1 FROM unit WHERE at < ?)
         SELECT edge.id, unit.at, ${bench.name === 'SQLite' ? 'CAST(substr(hex(edge.digest), 1, 14) || (100 + unit.at % 24) AS BLOB)' : "decode(md5(edge.id::text || (unit.at / 24)::text), 'hex')"},
           420, unit.at * ${HOUR}, unit.at * ${HOUR} + 3599000 FROM edge CROSS JOIN unit ORDER BY 1, 2`,
        at,
        Math.min(hour, at + piece) - 1,
      ),
    );
  await engine.write('alone', async (session) => {
    await session.run(
      'UPDATE rollup SET hour = ?, hour_edge = 0, day = ?, day_edge = 0, minutes_from = ?, hours_from = ?, days_from = ?',
      hour,
      day,
      minutesFrom,
      hoursFrom,
      daysFrom,
    );
    if (bench.name !== 'SQLite') await session.run('ANALYZE');
  });
  await engine.close();
  return { minutes: EDGES * (NOW / MINUTE - daysFrom * 1440), bytesPerRow };
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

async function asking(bench: Bench) {
  const reader = await bench.reader();
  const days = (count: number): { since: number; until: number } => ({ since: NOW - count * DAY, until: NOW });
  const ever = { since: undefined, until: undefined };
  const filters: Readonly<Record<string, StoreFilter>> = {
    namespace: { namespace: 'ns-7' },
    workload: { workload: 'ns-7/app-47' },
    identity: { identity: 'cluster.local/ns/ns-7/sa/app-47' },
    service: { service: 'app-47.ns-7.svc.cluster.local' },
    denied: { verdict: 'denied' },
    'namespace and denied': { namespace: 'ns-7', verdict: 'denied' },
  };
  const questions: Readonly<Record<string, () => Promise<unknown>>> = {
    ...Object.fromEntries(
      Object.entries(filters).map(([name, filter]) => [`${name}, all days`, () => reader.query({ ...ever, filter })]),
    ),
    ...Object.fromEntries(
      Object.entries(filters).map(([name, filter]) => [`${name}, last 24 h`, () => reader.query({ ...days(1), filter })]),
    ),
    'everything, all days': () => reader.query(ever),
    'everything with latencies, all days': () => reader.query({ ...ever, latencies: true }),
    'everything, last 24 h': () => reader.query(days(1)),
    'everything, last hour': () => reader.query(days(1 / 24)),
    'series of everything, all days by day': () => reader.series({ ...ever, stepMs: DAY }),
    'series of everything, 7 days by hour': () => reader.series({ ...days(7), stepMs: HOUR }),
    'series of a namespace, 2 days by 15 min': () =>
      reader.series({ ...days(1.9), stepMs: 15 * MINUTE, filter: { namespace: 'ns-7' } }),
    'series of everything, 3 h by minute': () => reader.series({ ...days(1 / 8), stepMs: MINUTE }),
    'one edge, 2 days by minute': () => reader.edgeSeries({ ...days(1.9), edge: edgeId(key(47)), stepMs: MINUTE }),
  };
  const times: Record<string, { readonly wallMs: number; readonly cpuMs: number }> = {};
  const cpuMs = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000 + bench.serverCpu() * 1000;
  };
  for (const [name, question] of Object.entries(questions)) {
    const took: { readonly wallMs: number; readonly cpuMs: number }[] = [];
    for (let round = 0; round < 3; round++) {
      const [cpu, began] = [cpuMs(), performance.now()];
      await question();
      took.push({ wallMs: performance.now() - began, cpuMs: cpuMs() - cpu });
    }
    // On a machine that others use, CPU time tells more than the clock.
    times[name] = { wallMs: median(took.map((one) => one.wallMs)), cpuMs: median(took.map((one) => one.cpuMs)) };
  }
  await reader.close();
  return times;
}

async function measure(bench: Bench) {
  try {
    const written = await intake(bench);
    const began = performance.now();
    const { minutes, bytesPerRow } = await fill(bench);
    const filled = (performance.now() - began) / 1000;
    const rows = bytesPerRow;
    const dayOfEdge = {
      asMinutes: 1440 * (rows['bucket'] ?? 0),
      asHours: 24 * (rows['bucket_hour'] ?? 0),
      asDay: rows['bucket_day'] ?? 0,
    };
    return {
      engine: bench.name,
      intake: written,
      edgeMinutes: minutes,
      fillSeconds: filled,
      bytes: await bench.bytes(),
      bytesPerRow,
      bytesPerEdgeAndDay: dayOfEdge,
      asRawMinutesBytes: minutes * (rows['bucket'] ?? 0),
      queryMs: await asking(bench),
    };
  } finally {
    await bench.close();
  }
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

function print(one: Awaited<ReturnType<typeof measure>>): string {
  const { intake: written } = one;
  return [
    one.engine,
    `  ${written.records} records in, ${written.written} written, ${written.lost} lost: ${written.perSecond} a second, ${(written.cpuShare * 100).toFixed(0)} % of a core, of the server ${(written.serverCpuShare * 100).toFixed(0)} %`,
    `  ${(one.edgeMinutes / 1e6).toFixed(0)} million edge-minutes: ${mib(one.bytes)} (as minutes alone ${mib(one.asRawMinutesBytes)}); made in ${one.fillSeconds.toFixed(0)} s`,
    `  bytes a row: ${Object.entries(one.bytesPerRow)
      .map(([table, bytes]) => `${table} ${bytes.toFixed(0)}`)
      .join(', ')}`,
    `  bytes per edge and day with calls in every minute: ${one.bytesPerEdgeAndDay.asMinutes.toFixed(0)} as minutes, ${one.bytesPerEdgeAndDay.asHours.toFixed(0)} as hours, ${one.bytesPerEdgeAndDay.asDay.toFixed(0)} as a day`,
    ...Object.entries(one.queryMs).map(
      ([name, { wallMs, cpuMs }]) =>
        `  ${name.padEnd(44)}${wallMs.toFixed(0).padStart(7)} ms, CPU ${cpuMs.toFixed(0).padStart(6)} ms`,
    ),
  ].join('\n');
}

if (values.help) process.stdout.write(HELP);
else {
  const results = [];
  if (values.engine !== 'postgres') results.push(await measure(sqliteBench()));
  const postgres = values.engine === 'sqlite' ? undefined : await postgresBench();
  if (postgres !== undefined) results.push(await measure(postgres));
  process.stdout.write(
    values.output === 'json' ? `${JSON.stringify(results, undefined, 2)}\n` : `${results.map(print).join('\n\n')}\n`,
  );
}
