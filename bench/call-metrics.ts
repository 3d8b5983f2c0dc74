// What istio_* metrics of calls cost: CPU for each record beside decoding it, memory for each series, and a scrape.
// The ratio between the rows counts, not the absolute figures. Usage: node --expose-gc bench/call-metrics.ts [seconds per row]
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { StreamAccessLogsMessageSchema } from '#gen/envoy/service/accesslog/v3/als_pb.js';
import { AlertEngine } from '../audit/alerts/engine.ts';
import { recordsOfMessage } from '../audit/intake/message.ts';
import { readMessage } from '../audit/intake/read-message.ts';
import type { Observer } from '../audit/intake/sink.ts';
import { CallMetrics } from '../audit/metrics/call-metrics.ts';
import { workloadNames } from '../audit/metrics/names.ts';
import type { AccessRecord } from '../audit/model/record.ts';
import { record } from '../test/audit/edges.ts';
import { http, peer } from '../test/audit/entries.ts';
import { directory, NOW, reporter, WEB } from '../test/audit/world.ts';

const SECONDS = Number(process.argv[2] ?? 2);
const PER_MESSAGE = 50;
const clock = (): Date => NOW;

const known = new Map(
  ['shop/app', 'shop/web', ...Array.from({ length: 5_000 }, (_, index) => `load/w${String(index)}`)].map((name) => {
    const [namespace = '', workload = ''] = name.split('/');
    return [
      name,
      workloadNames({ name: workload, namespace, labels: { app: workload, version: 'v1' }, instances: [{ meshed: true }] }),
    ];
  }),
);
const service = { host: 'app.shop.svc.cluster.local', name: 'app', namespace: 'shop' };
const metricsOf = (limit: number): CallMetrics =>
  new CallMetrics({ names: { workload: (name) => known.get(name), service: () => service }, clock, limit });

const message = toBinary(
  StreamAccessLogsMessageSchema,
  create(StreamAccessLogsMessageSchema, {
    logEntries: {
      case: 'httpLogs',
      value: {
        logEntry: Array.from({ length: PER_MESSAGE }, (_, entry) =>
          http({ common: { tlsProperties: peer(WEB) }, path: `/service/item/${String(entry)}?q=1` }),
        ),
      },
    },
  }),
);
const decoded = (): readonly AccessRecord[] => recordsOfMessage(readMessage(message), reporter('inbound'), directory, NOW);

/** Microseconds of CPU for each record, the best of three: what disturbs only adds. */
function measure(work: () => number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const cpu = process.cpuUsage();
    const began = performance.now();
    let records = 0;
    while (performance.now() - began < SECONDS * 1000) records += work();
    const { user, system } = process.cpuUsage(cpu);
    best = Math.min(best, (user + system) / records);
  }
  return best;
}

function observing(observer: Observer, records: readonly AccessRecord[]): number {
  return measure(() => {
    observer.observe(records);
    return records.length;
  });
}

const heap = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
};

const records = decoded();
const many = Array.from({ length: 5_000 }, (_, index) =>
  record({ source: { principal: WEB, workload: `load/w${String(index)}`, address: undefined } }),
);
const decode = measure(() => decoded().length);
const few = observing(metricsOf(5_000), records);
const full = metricsOf(5_000);
const before = heap();
full.observe(many);
const after = heap();
const spread = observing(full, many);
const over = observing(metricsOf(100), many);
const alerts = observing(
  new AlertEngine({
    rules: {
      newEdge: { namespaces: undefined, learnMs: 0 },
      plainText: { namespaces: [], againMs: 1 },
      denialSpike: { windowMs: 60_000, factor: 2, least: 1, againMs: 1 },
    },
    state: { since: 0, told: new Map() },
    clock,
    strict: () => undefined,
    keep: () => undefined,
  }),
  records,
);
const cpu = process.cpuUsage();
let bytes = 0;
let packed = 0;
let gzip = 0;
let longest = 0;
let last = performance.now();
for (const piece of full.exposition()) {
  // As a socket would take it; until then it is a list of parts.
  const sent = Buffer.from(piece);
  bytes += sent.length;
  const packing = process.cpuUsage();
  packed += gzipSync(sent, { level: 1 }).length;
  const { user: one, system: other } = process.cpuUsage(packing);
  gzip += one + other;
  longest = Math.max(longest, performance.now() - last);
  last = performance.now();
}
const { user, system } = process.cpuUsage(cpu);

const us = (value: number): string => `${value.toFixed(2)} us (${((value / decode) * 100).toFixed(1)} % of decoding)`;
console.log(
  [
    `decode              ${decode.toFixed(2)} us a record`,
    `metrics, 1 series   ${us(few)}`,
    `metrics, 5,000      ${us(spread)}`,
    `metrics, overflow   ${us(over)}`,
    `alerts, all rules   ${us(alerts)}`,
    `memory              ${Math.round((after - before) / 5_000)} bytes a series${globalThis.gc === undefined ? ' (needs --expose-gc)' : ''}`,
    `scrape of 5,000     ${(bytes / 1e6).toFixed(0)} MB, ${((user + system - gzip) / 1e6).toFixed(2)} s of CPU; packed ${(packed / 1e6).toFixed(1)} MB, ${(gzip / 1e6).toFixed(2)} s more; longest piece ${longest.toFixed(1)} ms`,
  ].join('\n'),
);
