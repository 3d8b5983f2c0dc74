// What it costs from a file that changed to the next snapshot, for meshes of several sizes, as folders of files and in one file.
// Usage: node bench/snapshot.ts [--services 1000,5000,20000] [--policies 1000] [--files folder,whole] [-o json]
import { mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { LiveMesh, type Scan } from '../mesh/source/live-mesh.ts';
import { watchMesh } from '../mesh/source/watch.ts';
import {
  pod,
  policy,
  policyPath,
  replace,
  routes,
  routesPath,
  servicePath,
  type Shape,
  WHOLE,
  writeMesh,
} from './snapshot/generate.ts';

const { values: flags } = parseArgs({
  options: {
    services: { type: 'string', default: '1000,5000,20000' },
    policies: { type: 'string', default: '1000' },
    files: { type: 'string', default: 'folder,whole' },
    namespaces: { type: 'string', default: '50' },
    changes: { type: 'string', default: '20' },
    churn: { type: 'string', default: '300' },
    output: { type: 'string', short: 'o', default: 'table' },
  },
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapMb(): number {
  collect();
  return process.memoryUsage().heapUsed / 1_000_000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

type Figures = Readonly<Record<string, string | number>>;

async function measure(shape: Shape): Promise<Figures> {
  const root = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  try {
    const bytes = writeMesh(root, shape);
    const empty = heapMb();
    const live = new LiveMesh({ paths: [root] });
    let clock = Date.now() + 60_000;
    const scan = (changed?: ReadonlySet<string>): Scan => {
      clock += 60_000;
      return live.scan(clock, 0, changed === undefined ? 'all' : { entries: changed });
    };
    const began = cpuMs();
    const first = scan();
    const firstMs = cpuMs() - began;
    const peak = process.resourceUsage().maxRSS / 1000;
    const heap = heapMb();
    const edit = (path: string, make: () => string, find: RegExp): (() => void) => {
      const target = shape.files === 'folder' ? path : WHOLE;
      return () => {
        const text = make();
        replace(root, target, shape.files === 'folder' ? text : readFileSync(join(root, WHOLE), 'utf8').replace(find, text));
      };
    };
    const timed = (what: (at: number) => void, target: (at: number) => string): number =>
      median(
        Array.from({ length: Number(flags.changes) }, (_, at) => {
          what(at);
          const from = cpuMs();
          const found = scan(new Set([join(root, shape.files === 'folder' ? target(at) : WHOLE)]));
          if (found.snapshot === undefined) throw new Error('nothing changed');
          if (found.diagnostics.length !== first.diagnostics.length) throw new Error(JSON.stringify(found.diagnostics.at(-1)));
          return cpuMs() - from;
        }),
      );
    const step = Math.floor(shape.services / 200) * 10;
    const of = (at: number): number => ((at + 1) * step) % shape.services;
    const changes = {
      'route weight': timed(
        (at) =>
          edit(
            routesPath(shape, of(at)),
            () => routes(shape, of(at), 10 + at),
            new RegExp(
              `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: svc-${String(of(at)).padStart(5, '0')}\n[^]*?weight: 50\n[^]*?weight: 50\n`,
            ),
          )(),
        (at) => routesPath(shape, of(at)),
      ),
      'pod address': timed(
        (at) => {
          const target = join(root, shape.files === 'folder' ? servicePath(shape, of(at)) : WHOLE);
          const text = readFileSync(target, 'utf8');
          const begin = text.indexOf(`apiVersion: v1\nkind: Pod\nmetadata:\n  name: svc-${String(of(at)).padStart(5, '0')}-1\n`);
          const end = text.indexOf("status: 'True'\n", begin) + "status: 'True'\n".length;
          const next = text.slice(0, begin) + pod(shape, of(at), 1, `10.200.0.${String(at + 1)}`) + text.slice(end);
          replace(root, shape.files === 'folder' ? servicePath(shape, of(at)) : WHOLE, next);
        },
        (at) => servicePath(shape, of(at)),
      ),
      policy: timed(
        (at) => {
          const index = at * 10 + 4;
          const target = shape.files === 'folder' ? policyPath(shape, index) : WHOLE;
          const next = policy(shape, index, `/changed-${String(at)}`);
          const text = shape.files === 'folder' ? '' : readFileSync(join(root, WHOLE), 'utf8');
          replace(root, target, shape.files === 'folder' ? next : text.replace(policy(shape, index, '/api'), next));
        },
        (at) => policyPath(shape, at * 10 + 4),
      ),
    };
    const full = median(
      Array.from({ length: 5 }, () => {
        const from = cpuMs();
        scan();
        return cpuMs() - from;
      }),
    );
    // As somebody would see it: from the write to the snapshot, files watched.
    const shown = await latencies(root, shape);
    const before = heapMb();
    const churn = Number(flags.churn);
    const churned = cpuMs();
    for (let at = 0; at < churn; at++) {
      const target = shape.files === 'folder' ? servicePath(shape, 0) : WHOLE;
      const text = readFileSync(join(root, target), 'utf8');
      const ip = `10.201.${String((at >>> 8) & 255)}.${String(at & 255)}`;
      replace(root, target, text.replace(/podIP: 10\.[0-9.]+/, `podIP: ${ip}`));
      if (scan(new Set([join(root, target)])).snapshot === undefined) throw new Error('nothing changed');
    }
    const churnMs = (cpuMs() - churned) / Math.max(1, churn);
    const grown = heapMb() - before;
    const round = (value: number): number => Number(value.toFixed(1));
    return {
      services: shape.services,
      policies: shape.policies,
      files: shape.files,
      MB: round(bytes / 1_000_000),
      'first load, CPU s': round(firstMs / 1000),
      'heap, MB': round(heap - empty),
      'peak, MB': round(peak),
      diagnostics: first.diagnostics.length,
      ...Object.fromEntries(Object.entries(changes).map(([what, ms]) => [`${what} changed, ms`, round(ms)])),
      'looked at all, nothing changed, ms': round(full),
      'replaced file to snapshot, ms': round(shown.replaced),
      'file written in place to snapshot, ms': round(shown.written),
      [`${String(churn)} endpoint changes, ms each`]: round(churnMs),
      [`${String(churn)} endpoint changes, heap + MB`]: round(grown),
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Milliseconds from the end of a write to the snapshot that has it, for files that are replaced and files written in place. */
async function latencies(root: string, shape: Shape): Promise<{ readonly replaced: number; readonly written: number }> {
  let seen: (() => void) | undefined;
  const mesh = await watchMesh({ paths: [root], log: pino({ level: 'silent' }), onSnapshot: () => seen?.() });
  try {
    // The look that follows the beginning of the watch is over.
    await setTimeout(2000);
    const one = async (at: number, write: (path: string, text: string) => void): Promise<number> => {
      const path = shape.files === 'folder' ? routesPath(shape, 10) : WHOLE;
      const text = readFileSync(join(root, path), 'utf8').replace(/weight: \d+/, `weight: ${String(100 + at)}`);
      const came = new Promise<void>((resolve) => (seen = resolve));
      write(path, text);
      const from = performance.now();
      await came;
      const took = performance.now() - from;
      await setTimeout(300);
      return took;
    };
    const replaced: number[] = [];
    const written: number[] = [];
    for (let at = 0; at < 7; at++) {
      replaced.push(
        await one(at, (path, text) => {
          const fresh = join(root, `${path}.new`);
          writeFileSync(fresh, text);
          const age = Date.now() / 1000 - 0.05;
          utimesSync(fresh, age, age);
          renameSync(fresh, join(root, path));
        }),
      );
      written.push(await one(50 + at, (path, text) => writeFileSync(join(root, path), text)));
    }
    return { replaced: median(replaced), written: median(written) };
  } finally {
    mesh.close();
  }
}

const numbers = (text: string): readonly number[] => text.split(',').map(Number);
const shapes = numbers(flags.services).flatMap((services) =>
  numbers(flags.policies).flatMap((policies) =>
    flags.files.split(',').map((files): Shape => ({
      services,
      policies,
      namespaces: Number(flags.namespaces),
      files: files === 'whole' ? 'whole' : 'folder',
    })),
  ),
);
const rows: Figures[] = [];
for (const shape of shapes) rows.push(await measure(shape));
if (flags.output === 'json') process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
else
  for (const what of Object.keys(rows[0] ?? {}))
    process.stdout.write(`${what.padEnd(36)}${rows.map((row) => String(row[what]).padStart(10)).join('')}\n`);
