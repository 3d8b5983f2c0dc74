// How long others wait while the control plane does something long: certificates while proxies get their first configuration, a changed
// weight while a crowd asks for certificates, and how long the event loop was held by each. Usage: node bench/latency.ts --help
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { session } from './issuance/client.ts';
import { requests, token, tokenKeys } from './issuance/evidence.ts';
import { type Asking, crowd, paced } from './latency/callers.ts';
import { startMeasured } from './latency/server.ts';
import { writeMesh } from './mesh/files.ts';
import { MESH_HELP, meshFlags, parseMeshOptions, wholeNumber } from './mesh/options.ts';
import { planMesh } from './mesh/plan.ts';
import { type Figures, median, type Row } from './scale/figures.ts';
import { Changes, firstConfiguration, reconnect } from './scale/steps.ts';
import { printRows } from './scale/table.ts';
import { readFileSync } from 'node:fs';

const HELP = `How long others wait while the control plane does something long, over delta.

${MESH_HELP}  --rate N          certificates a second that are asked for beside the long work (50)
  --callers N       of the crowd that asks for certificates beside changes (64)
  --repeats N       of each change; medians are printed (5)
  --seconds N       of nothing else, and of a crowd before all to warm up (3)
  --timeout N       seconds for each step (300)
  --node-flags=LIST for the server, after an equals sign: --node-flags='--cpu-prof --cpu-prof-dir=/tmp'
  -o json           instead of a table

CSR: how long a certificate took, in ms. hold: how long the event loop did nothing else, in ms, the longest time; over 20, over 50: how often.

Examples:
  node bench/latency.ts
  node bench/latency.ts --services 1000 --proxies 50 -o json
`;

const flags = {
  options: {
    ...meshFlags,
    rate: { type: 'string', default: '50' },
    callers: { type: 'string', default: '64' },
    repeats: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    timeout: { type: 'string', default: '300' },
    'node-flags': { type: 'string', default: '' },
    output: { type: 'string', short: 'o', default: 'table' },
    help: { type: 'boolean', short: 'h', default: false },
  },
} as const;

const quantile = (sorted: readonly number[], share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;

function waits(took: readonly number[]): Figures {
  return { csrs: took.length, csrP50Ms: quantile(took, 0.5), csrP99Ms: quantile(took, 0.99), csrMaxMs: took.at(-1) ?? 0 };
}

function held(holds: readonly number[]): Figures {
  const over = (ms: number): number => holds.filter((hold) => hold > ms).length;
  return { holdMs: holds[0] ?? 0, holdsOver20: over(20), holdsOver50: over(50) };
}

async function main(values: ReturnType<typeof parseArgs<typeof flags>>['values']): Promise<void> {
  const mesh = parseMeshOptions(values);
  const plan = planMesh(mesh);
  const [rate, callers, repeats] = (['rate', 'callers', 'repeats'] as const).map((flag) => wholeNumber(flag, values[flag]));
  const timeoutMs = wholeNumber('timeout', values.timeout) * 1000;
  const secondsMs = wholeNumber('seconds', values.seconds) * 1000;
  const nodeFlags = values['node-flags'].split(' ').filter((flag) => flag !== '');
  if (rate === undefined || callers === undefined || repeats === undefined) return;
  const rows: Row[] = [];
  const add = (work: string, all: readonly Figures[]): void => {
    rows.push({ work, server: 'gatehouse', repeats: all.length, figures: median(all) });
    if (values.output !== 'json') process.stderr.write(`${work}: ${JSON.stringify(rows.at(-1)?.figures)}\n`);
  };
  const dir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  try {
    const folder = join(dir, 'mesh');
    mkdirSync(folder);
    writeMesh(folder, plan);
    const keys = tokenKeys();
    const server = await startMeasured(folder, join(dir, 'server'), keys, nodeFlags);
    const { target } = server;
    const { gatehouse } = target;
    if (gatehouse === undefined) throw new Error('the server is not ours');
    const evidence = { messages: requests(200), token: token(keys[0], 0) };
    const port = Number(gatehouse.grpc.split(':').at(-1));
    const over = await session(port, readFileSync(gatehouse.rootCert, 'utf8'));
    const ask = (asking: Asking): Promise<Figures> => asking.stop().then(waits);
    const beside = async (work: () => Promise<Figures>, asking: Asking): Promise<Figures> => {
      await sleep(200);
      await server.holds();
      const figures = await work();
      const holds = held(await server.holds());
      return { ...figures, ...(await ask(asking)), ...holds };
    };
    try {
      const warm = crowd(over, evidence, callers);
      await sleep(secondsMs);
      await warm.stop();
      add('start', [{ wallSeconds: target.readyAfter ?? 0 }]);
      const idle = async (): Promise<Figures> => (await sleep(secondsMs), {});
      add('nothing else', [await beside(idle, paced(over, evidence, rate))]);
      let connected: Awaited<ReturnType<typeof firstConfiguration>>[0] | undefined;
      const first = async (): Promise<Figures> => {
        const [one, figures] = await firstConfiguration(target, 'delta', plan, 1, timeoutMs);
        connected = one;
        return figures;
      };
      add('first configuration', [await beside(first, paced(over, evidence, rate))]);
      if (connected === undefined) return;
      const one = { ...connected, beside: true };
      const changes = new Changes(plan);
      for (const [what, change] of [
        ['one route weight', () => changes.route(one)],
        ['one endpoint', () => changes.endpoint(one)],
      ] as const) {
        const [alone, crowded]: [Figures[], Figures[]] = [[], []];
        for (let repeat = 0; repeat < repeats; repeat++) {
          alone.push(await beside(change, paced(over, evidence, rate)));
          crowded.push(await beside(change, crowd(over, evidence, callers)));
        }
        add(what, alone);
        add(`${what}, ${String(callers)} callers`, crowded);
      }
      add('all reconnect, knowing all', [await beside(() => reconnect(one, true), paced(over, evidence, rate))]);
      const nothing = `all reconnect, knowing nothing, ${String(callers)} callers`;
      add(nothing, [await beside(() => reconnect(one, false), crowd(over, evidence, callers))]);
      await one.fleet.end();
    } finally {
      over.close();
      await target.close();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  const [load = 0] = loadavg();
  if (values.output === 'json') process.stdout.write(`${JSON.stringify({ mesh, rows, load }, null, 2)}\n`);
  else {
    printRows(rows);
    process.stdout.write(
      `${String(mesh.services)} services, ${String(mesh.proxies)} proxies, ${mesh.form}, seed ${String(mesh.seed)}; load average ${load.toFixed(1)}\n`,
    );
  }
}

try {
  const { values } = parseArgs(flags);
  if (values.help) process.stdout.write(HELP);
  else await main(values);
} catch (error) {
  if (!(error instanceof RangeError) && !(error instanceof TypeError && 'code' in error)) throw error;
  process.stderr.write(`bench/latency.ts: ${error.message} (see --help)\n`);
  process.exitCode = 2;
}
