// How fast the audit intake is: access-log records per second, decoded only, added up in memory, and into SQLite.
// The ratio between the rows counts, not the absolute figures. Usage: node bench/audit.ts [seconds per row]
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { pino } from 'pino';
import { StreamAccessLogsMessageSchema } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import { parseMessage, recordsOfMessage } from '../audit/intake/message.ts';
import type { LogMessage } from '../audit/intake/read-message.ts';
import { Recorder } from '../audit/intake/recorder.ts';
import { openSqliteStore } from '../audit/store/sqlite.ts';
import { http, peer } from '../test/audit/entries.ts';
import { directory, NOW, reporter, WEB } from '../test/audit/world.ts';

const SECONDS = Number(process.argv[2] ?? 3);
const PER_MESSAGE = 50;
/** Different paths in turn: each becomes an edge of its own, up to the limit of 200 for a workload. */
const PATHS = 150;

interface Row {
  readonly name: string;
  readonly perSecond: number;
  readonly cpuUs: number;
}

const messages = Array.from({ length: PATHS }, (_, path) =>
  toBinary(
    StreamAccessLogsMessageSchema,
    create(StreamAccessLogsMessageSchema, {
      logEntries: {
        case: 'httpLogs',
        value: {
          logEntry: Array.from({ length: PER_MESSAGE }, (_unused, entry) =>
            http({
              common: { tlsProperties: peer(WEB) },
              path: `/service-${String.fromCodePoint(97 + (path % 26))}x${'y'.repeat(path / 26)}/item/${path * PER_MESSAGE + entry}?q=1`,
            }),
          ),
        },
      },
    }),
  ),
);

async function measure(
  name: string,
  work: (message: Uint8Array) => Promise<void> | void,
  finish?: () => Promise<void>,
): Promise<Row> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  let records = 0;
  for (let index = 0; performance.now() - began < SECONDS * 1000; index++) {
    const message = messages[index % messages.length];
    if (message) await work(message);
    records += PER_MESSAGE;
    // The event loop turns, as it does between the messages of a stream.
    if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await finish?.();
  const wall = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { name, perSecond: records / wall, cpuUs: (user + system) / records };
}

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
const file = join(folder, 'audit.db');
const clock = (): Date => NOW;
const log = pino({ level: 'silent' });
const parsed = (message: Uint8Array): LogMessage => parseMessage(message) ?? assert.fail('not a message');
const decode = (message: Uint8Array): ReturnType<typeof recordsOfMessage> =>
  recordsOfMessage(parsed(message), reporter('inbound'), directory, NOW);

const sink = { open: () => openSqliteStore({ file, clock }), log, clock };
const recorder = new Recorder(sink);
const eager = new Recorder({ ...sink, flushMs: 10 });
const rows = [
  await measure('parse only', (message) => void parsed(message)),
  await measure('parse, decode', (message) => void decode(message)),
  await measure(
    'parse, decode, SQLite (written each second)',
    (message) => recorder.accept(decode(message)),
    () => recorder.close(),
  ),
  await measure(
    'parse, decode, SQLite (written each 10 ms)',
    (message) => eager.accept(decode(message)),
    () => eager.close(),
  ),
];

const reference = rows[1]?.perSecond ?? 1;
process.stdout.write(
  `${rows.map(({ name, perSecond, cpuUs }) => `${name.padEnd(46)}${Math.round(perSecond).toLocaleString('en').padStart(10)} records/s  ${cpuUs.toFixed(1).padStart(6)} us CPU each  ${(perSecond / reference).toFixed(2)} x`).join('\n')}\n`,
);
process.stdout.write(
  `file ${Math.round(statSync(file).size / 1024)} KiB; lost ${JSON.stringify([recorder.stats.lost, eager.stats.lost])}\n`,
);
rmSync(folder, { recursive: true });
