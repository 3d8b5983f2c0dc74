// What policies cost a real Envoy: processor time for each request (HTTP) or connection (TCP) over mutual TLS, against the same Envoy
// without a policy, in turns. The ratios count. Usage: node bench/policy.ts [--repeats N] [--requests N] [--only TEXT] [-o json]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { parseArgs } from 'node:util';
import { TestAuthority } from '../test/audit/envoy/certificates.ts';
import { envoyPath } from '../test/audit/envoy/process.ts';
import { startMeasured, type Variant } from './policy/envoy.ts';
import { type Asked, connectAndEcho, Connections } from './policy/load.ts';
import * as shapes from './policy/shapes.ts';

const { values: flags } = parseArgs({
  options: {
    repeats: { type: 'string', default: '11' },
    requests: { type: 'string', default: '3000' },
    connections: { type: 'string', default: '250' },
    only: { type: 'string', default: '' },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});
const [REPEATS, REQUESTS, CONNECTIONS] = [Number(flags.repeats), Number(flags.requests), Number(flags.connections)];
const MANY = 1000;

/** One row: a variant, who calls what of it, and the answer. */
interface Row {
  readonly name: string;
  readonly variant: Variant;
  readonly caller: string;
  readonly asked: Asked;
  readonly allowed: boolean;
  /** The ratio that the issue asks for; Istio's form has none. */
  readonly most?: number;
}

const http = (name: string, filters: readonly object[]): Variant => ({ name, protocol: 'HTTP', filters });
const tcp = (name: string, filters: readonly object[]): Variant => ({ name, protocol: 'TCP', filters });
const [first, last, stranger] = [shapes.account(0), shapes.account(MANY - 1), 'cluster.local/ns/nobody/sa/nobody'];
const read: Asked = { path: '/api/v1/items?page=2' };
const accounts = Array.from({ length: MANY }, (_, index) => shapes.account(index));

const one = http('one principal', shapes.httpFilters(shapes.onePolicy(1)));
const principals = http('principals', shapes.httpFilters(shapes.onePolicy(MANY)));
const shared = http('shared', shapes.httpFilters(shapes.sharedPaths(MANY)));
const own = http('own', shapes.httpFilters(shapes.ownPaths(MANY)));
const denial = http('denial', shapes.httpFilters(shapes.asDenial(shapes.onePolicy(MANY))));
const denials = http('denials', shapes.httpFilters(shapes.asDenial(shapes.sharedPaths(MANY))));
const counted = http('shared, counted', shapes.counted(shapes.httpFilters(shapes.sharedPaths(MANY))));
const oneCounted = http('one, counted', shapes.counted(shapes.httpFilters(shapes.onePolicy(1))));
const tcpCallers = tcp('tcp', shapes.tcpFilters(shapes.tcpCallers(MANY)));
const none = http('none', []);
const tcpNone = tcp('tcp none', []);

const ROWS: readonly Row[] = [
  { name: 'HTTP, no policy', variant: none, caller: last, asked: read, allowed: true },
  { name: 'one principal', variant: one, caller: first, asked: read, allowed: true },
  { name: '1,000 principals in one policy', variant: principals, caller: last, asked: read, allowed: true, most: 1.3 },
  { name: '  denied', variant: principals, caller: stranger, asked: read, allowed: false },
  {
    name: '1,000 policies on shared paths, the last matches',
    variant: shared,
    caller: last,
    asked: read,
    allowed: true,
    most: 2,
  },
  { name: '  the first matches', variant: shared, caller: first, asked: read, allowed: true },
  { name: '  denied', variant: shared, caller: stranger, asked: read, allowed: false },
  { name: '  with a counter for each rule', variant: counted, caller: last, asked: read, allowed: true },
  { name: 'one principal, with a counter for the rule', variant: oneCounted, caller: first, asked: read, allowed: true },
  {
    name: '1,000 policies on paths of their own, the last matches',
    variant: own,
    caller: last,
    asked: { path: '/service-999/items' },
    allowed: true,
  },
  { name: '1,000 principals in one DENY policy, none matches', variant: denial, caller: stranger, asked: read, allowed: true },
  { name: '1,000 DENY policies on shared paths, none matches', variant: denials, caller: stranger, asked: read, allowed: true },
  {
    name: "Istio's form: 1,000 principals",
    variant: http('istio principals', shapes.istioHttp([accounts])),
    caller: last,
    asked: read,
    allowed: true,
  },
  {
    name: "Istio's form: 1,000 policies",
    variant: http('istio shared', shapes.istioHttp(accounts.map((name) => [name]))),
    caller: last,
    asked: read,
    allowed: true,
  },
  { name: 'TCP, no policy', variant: tcpNone, caller: last, asked: read, allowed: true },
  { name: 'TCP, 1,000 principals', variant: tcpCallers, caller: last, asked: read, allowed: true, most: 1.2 },
  { name: '  denied', variant: tcpCallers, caller: stranger, asked: read, allowed: false },
  {
    name: "TCP, Istio's form: 1,000 principals",
    variant: tcp('istio tcp', shapes.istioTcp([accounts])),
    caller: last,
    asked: read,
    allowed: true,
  },
];

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function shuffled<T>(values: readonly T[]): readonly T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

const path = envoyPath();
if (path === undefined) {
  process.stderr.write('bench/policy.ts: GATEHOUSE_ENVOY names no Envoy\n');
  process.exit(1);
}
const chosen = ROWS.filter(
  (row) => row.name.includes('no policy') || row.name.includes(flags.only) || row.variant.name.includes(flags.only),
);
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
const authority = await TestAuthority.create();
const variants = [...new Set(chosen.map(({ variant }) => variant))];
const envoy = await startMeasured(
  path,
  folder,
  variants,
  await authority.issue('spiffe://cluster.local/ns/shop/sa/server'),
  authority.root,
);
const spent = new Map<Row, number[]>(chosen.map((row) => [row, []]));
try {
  const runs = await Promise.all(
    chosen.map(async (row) => {
      const { cert, key } = await authority.issue(`spiffe://${row.caller}`);
      const target = { port: envoy.portOf(row.variant.name), context: createSecureContext({ cert, key }) };
      if (row.variant.protocol === 'TCP')
        return { row, count: CONNECTIONS, run: (n: number) => connectAndEcho(target, n, 4, row.allowed), close: () => undefined };
      const connections = await Connections.open(target, 8);
      return {
        row,
        // Forms that cost milliseconds need no more to be measured well.
        count: row.name.startsWith('Istio') ? Math.ceil(REQUESTS / 10) : REQUESTS,
        run: (n: number) => connections.run(row.asked, n, row.allowed ? 200 : 403),
        close: () => connections.close(),
      };
    }),
  );
  for (const { run, count } of runs) await run(Math.ceil(count / 4));
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const { row, run, count } of shuffled(runs)) {
      const before = envoy.cpuMicroseconds();
      await run(count);
      spent.get(row)?.push((envoy.cpuMicroseconds() - before) / count);
    }
  }
  for (const { close } of runs) close();
} finally {
  await envoy.stop();
  rmSync(folder, { recursive: true, force: true });
}

const report = chosen.map((row) => {
  const own = spent.get(row) ?? [];
  const base = spent.get(chosen.find((other) => other.name === `${row.variant.protocol}, no policy`) ?? row) ?? [];
  // Against the same repeat: what else the machine does weighs on both.
  const ratios = own.map((value, repeat) => value / (base[repeat] ?? value));
  const sorted = [...own].sort((a, b) => a - b);
  return {
    name: row.name,
    unit: row.variant.protocol === 'HTTP' ? 'request' : 'connection',
    cpuMicroseconds: Number(median(own).toFixed(1)),
    least: Number((sorted[0] ?? 0).toFixed(1)),
    greatest: Number((sorted.at(-1) ?? 0).toFixed(1)),
    ratio: Number(median(ratios).toFixed(2)),
    ...(row.most === undefined ? {} : { most: row.most }),
  };
});
if (flags.output === 'json')
  process.stdout.write(
    `${JSON.stringify({ envoy: envoy.version, repeats: REPEATS, requests: REQUESTS, rows: report }, undefined, 2)}\n`,
  );
else {
  const line = (...cells: readonly string[]): string =>
    `${(cells[0] ?? '').padEnd(56)}${cells
      .slice(1)
      .map((cell) => cell.padStart(12))
      .join('')}\n`;
  process.stdout.write(line('CPU of Envoy, microseconds', 'each', 'least', 'greatest', 'ratio', 'to reach'));
  for (const row of report)
    process.stdout.write(
      line(
        row.name,
        String(row.cpuMicroseconds),
        String(row.least),
        String(row.greatest),
        `${row.ratio.toFixed(2)} x`,
        row.most === undefined ? '' : `${row.most} x`,
      ),
    );
}
