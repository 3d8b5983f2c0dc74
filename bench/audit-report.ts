// What a report of 100,000 edges costs in each format: CPU, size, and memory above what the edges themselves take.
// Usage: node --expose-gc bench/audit-report.ts [edges]
import { FORMATS, print } from '../audit/document/print.ts';
import { printableReport } from '../audit/report/printable.ts';
import { reportOf } from '../audit/report/report.ts';
import { compare } from '../audit/compare/compare.ts';
import { graphOf } from '../audit/graph/graph.ts';
import { layoutOf } from '../audit/graph/layout.ts';
import { edge } from '../test/audit/edges.ts';
import { NOW } from '../test/audit/world.ts';

const EDGES = Number(process.argv[2] ?? 100_000);
const PER_NAMESPACE = 20;
const WORKLOADS = 2_000;
const MEGABYTE = 1024 * 1024;

const workload = (at: number): string => `ns${Math.floor(at / PER_NAMESPACE)}/workload-${at}`;
const edges = Array.from({ length: EDGES }, (_, at) =>
  edge({
    time: NOW.getTime() - (at % 3600) * 1000,
    source: { principal: undefined, workload: workload(at % WORKLOADS), address: undefined },
    destination: { principal: undefined, workload: workload((at * 7 + 13) % WORKLOADS), address: undefined },
    template: `/path/${Math.floor(at / WORKLOADS)}/{id}`,
    port: 8080 + (at % 3),
  }),
);

interface Cost {
  readonly cpuMs: number;
  readonly peakMb: number;
  readonly sizeMb: number;
}

/** Peak of the heap above what it is before, looked at after each piece. */
function cost(pieces: () => Iterable<string>): Cost {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const cpu = process.cpuUsage();
  let [peak, size, at] = [0, 0, 0];
  for (const piece of pieces()) {
    size += piece.length;
    if (at++ % 5000 === 0) peak = Math.max(peak, process.memoryUsage().heapUsed - before);
  }
  const { user, system } = process.cpuUsage(cpu);
  return { cpuMs: (user + system) / 1000, peakMb: peak / MEGABYTE, sizeMb: size / MEGABYTE };
}

function line(name: string, { cpuMs, peakMb, sizeMb }: Cost): void {
  const text = [`${Math.round(cpuMs)} ms CPU`, `${sizeMb.toFixed(1)} MB`, `heap +${peakMb.toFixed(0)} MB at most`];
  process.stdout.write(`${name.padEnd(12)} ${text.join(', ')}\n`);
}

const started = process.cpuUsage();
const report = reportOf(
  { edges, losses: [], gaps: [] },
  { period: { since: undefined, until: undefined }, filter: {}, now: NOW },
);
process.stdout.write(
  `${report.lines.length} lines; added up and sorted in ${Math.round(process.cpuUsage(started).user / 1000)} ms CPU\n`,
);
const author = { preparedBy: 'bench', version: '0', store: 'memory' };
for (const format of FORMATS)
  line(
    format,
    cost(() => print(printableReport(report, author), format)),
  );
const compared = process.cpuUsage();
compare([report, report], { detail: 'path', threshold: 0.5, leastCalls: 10 });
process.stdout.write(`compare      ${Math.round(process.cpuUsage(compared).user / 1000)} ms CPU\n`);
const drawn = process.cpuUsage();
const { nodes, edges: ways } = layoutOf(graphOf(report.lines));
process.stdout.write(
  `layout       ${Math.round(process.cpuUsage(drawn).user / 1000)} ms CPU for ${nodes.length} workloads, ${ways.length} pairs\n`,
);
