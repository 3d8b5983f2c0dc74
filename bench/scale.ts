// What it costs to configure many proxies and to change one thing: the table of docs/performance.md, for `gatehouse serve` and, side by
// side, for another ADS server. Usage: node bench/scale.ts --help
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { writeMesh } from './mesh/files.ts';
import { MESH_HELP, meshFlags, parseMeshOptions, wholeNumber } from './mesh/options.ts';
import { planMesh } from './mesh/plan.ts';
import type { Variant } from './xds/messages.ts';
import { type Figures, median, type Row } from './scale/figures.ts';
import { Changes, churn, type Connected, firstConfiguration, reconnect } from './scale/steps.ts';
import { realEnvoys } from './scale/real-envoys.ts';
import { certificatesFor, vouching } from './scale/mutual-tls.ts';
import { printRows } from './scale/table.ts';
import { startGatehouse, type Target } from './scale/target.ts';

const STEPS = Object.freeze(['first', 'route', 'endpoint', 'reconnect', 'churn', 'certificates'] as const);

const HELP = `What it costs to configure many proxies, and to change one thing.

${MESH_HELP}  --variants LIST   delta,sotw (both)
  --only LIST       of ${STEPS.join(', ')} (all but certificates; first is always done)
  --repeats N       of each change; medians are printed (5)
  --churn N         seconds of ten endpoint changes a second (20)
  --stuck N         so many proxies read nothing during the churn (0)
  --processes N     of the client (1)
  --envoys N        at the end also so many real Envoys, over delta and TLS, with an agent (0; GATEHOUSE_ENVOY tells where Envoy is)
  --only-envoys     nothing but these
  --timeout N       seconds for each step (300)
  --tls             mutual TLS, each proxy with a certificate from the server (plain text)
  --ads HOST:PORT   another ADS server in plain text, which reads --folder; measured in turn with ours
  --folder DIR      its folder, made by bench/mesh.ts with the same options
  --pid PID         its process
  --no-gatehouse    measure the other one only
  --node-flags=LIST for our server, after an equals sign: --node-flags='--cpu-prof --cpu-prof-dir=/tmp'
  -o json           instead of a table

Examples:
  node bench/scale.ts --services 1000 --proxies 20
  node bench/scale.ts --only route,endpoint --variants delta -o json
  node bench/scale.ts --services 1000 --envoys 20 --only-envoys
  node bench/scale.ts --variants delta --only reconnect --node-flags=--cpu-prof
  node bench/scale.ts --tls --variants delta --only first,endpoint
  node bench/scale.ts --ads 127.0.0.1:15010 --folder /tmp/mesh --pid 4711
`;

const flags = {
  options: {
    ...meshFlags,
    variants: { type: 'string', default: 'delta,sotw' },
    only: { type: 'string', default: 'first,route,endpoint,reconnect,churn' },
    repeats: { type: 'string', default: '5' },
    churn: { type: 'string', default: '20' },
    stuck: { type: 'string', default: '0' },
    processes: { type: 'string', default: '1' },
    timeout: { type: 'string', default: '300' },
    envoys: { type: 'string', default: '0' },
    'only-envoys': { type: 'boolean', default: false },
    tls: { type: 'boolean', default: false },
    ads: { type: 'string' },
    folder: { type: 'string' },
    pid: { type: 'string' },
    'no-gatehouse': { type: 'boolean', default: false },
    'node-flags': { type: 'string', default: '' },
    output: { type: 'string', short: 'o', default: 'table' },
    help: { type: 'boolean', short: 'h', default: false },
  },
} as const;

function read(): ReturnType<typeof parseArgs<typeof flags>>['values'] {
  try {
    return parseArgs(flags).values;
  } catch (error) {
    // Of node:util: an unknown flag, or one whose value begins with a dash and is not behind an equals sign.
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`bench/scale.ts: ${error.message} (see --help)\n`);
    process.exit(2);
  }
}
const values = read();

async function main(): Promise<void> {
  const mesh = parseMeshOptions(values);
  const plan = planMesh(mesh);
  const only = values.only.split(',');
  const unknown = only.find((step) => !STEPS.some((known) => known === step));
  if (unknown !== undefined) throw new RangeError(`--only: one of ${STEPS.join(', ')}, not ${unknown}`);
  const wants = (step: (typeof STEPS)[number]): boolean => only.includes(step);
  const repeats = wholeNumber('repeats', values.repeats);
  const processes = wholeNumber('processes', values.processes);
  const timeoutMs = wholeNumber('timeout', values.timeout) * 1000;
  const variants = values.variants.split(',').map((name): Variant => {
    if (name !== 'delta' && name !== 'sotw') throw new RangeError(`--variants: delta or sotw, not ${name}`);
    return name;
  });
  const nodeFlags = values['node-flags'].split(' ').filter((flag) => flag !== '');
  const other = otherServer();
  if (values.tls && other !== undefined) throw new RangeError('--tls is for our server alone');
  const dir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  const rows: Row[] = [];
  const add = (work: string, target: Pick<Target, 'name'>, all: readonly Figures[]): void => {
    rows.push({ work, server: target.name, repeats: all.length, figures: median(all) });
    if (values.output !== 'json') process.stderr.write(`${work}, ${target.name}: ${JSON.stringify(rows.at(-1)?.figures)}\n`);
  };
  const folder = join(dir, 'mesh');
  mkdirSync(folder);
  writeMesh(folder, plan);
  const changes = new Changes(plan);
  const vouched = values.tls ? await vouching(join(dir, 'vouching')) : undefined;
  try {
    for (const variant of variants) {
      if (values['only-envoys']) break;
      // Ours anew for each, so that no memory and no compiled configuration is left from before.
      const targets: Target[] = other === undefined ? [] : [other];
      if (!values['no-gatehouse']) targets.unshift(await startGatehouse(folder, join(dir, variant), nodeFlags, vouched?.flags));
      const connected: Connected[] = [];
      for (const target of targets) {
        if (target.readyAfter !== undefined && variant === variants[0])
          add('start', target, [{ wallSeconds: target.readyAfter }]);
        const tls = vouched && (await certificatesFor(target, vouched, plan.proxies));
        const [one, figures] = await firstConfiguration(target, variant, plan, processes, timeoutMs, tls);
        connected.push(one);
        add(`first configuration, ${variant}`, target, [figures]);
      }
      for (const step of ['route', 'endpoint'] as const) {
        if (!wants(step)) continue;
        const measured = connected.map((): Figures[] => []);
        // In turn, so that a busy minute of the machine hits all alike.
        for (let repeat = 0; repeat < repeats; repeat++) {
          for (const [index, one] of connected.entries()) measured[index]?.push(await changes[step](one));
        }
        for (const [index, { target }] of connected.entries())
          add(`${step === 'route' ? 'one route weight' : 'one endpoint'}, ${variant}`, target, measured[index] ?? []);
      }
      for (const one of connected) {
        if (wants('reconnect')) {
          if (variant === 'delta') add('reconnect, knowing all', one.target, [await reconnect(one, true)]);
          add(`reconnect, knowing nothing, ${variant}`, one.target, [await reconnect(one, false)]);
        }
        if (wants('churn')) {
          const seconds = wholeNumber('churn', values.churn);
          const stuck = wholeNumber('stuck', values.stuck, 0);
          add(`ten endpoints a second, ${variant}`, one.target, await churn(one, changes, seconds, stuck));
        }
        await one.fleet.end();
      }
      for (const target of targets) await target.close();
    }
    const envoys = wholeNumber('envoys', values.envoys, 0);
    if (envoys > 0) {
      const name = 'gatehouse';
      const proxies = plan.proxies.slice(0, envoys);
      await realEnvoys({
        folder,
        dir: join(dir, 'envoys'),
        nodeFlags,
        proxies,
        changes,
        repeats,
        timeoutMs,
        add: (work, all) => add(`${work}, ${String(proxies.length)} Envoys`, { name }, all),
      });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  if (wants('certificates')) await certificates(rows);
  const [load] = loadavg();
  if (values.output === 'json') process.stdout.write(`${JSON.stringify({ mesh, rows, load }, null, 2)}\n`);
  else {
    printRows(rows);
    process.stdout.write(
      `${String(mesh.services)} services, ${String(mesh.proxies)} proxies, ${String(mesh.namespaces)} namespaces, ${mesh.form}, seed ${String(mesh.seed)}; load average ${(load ?? 0).toFixed(1)}\n`,
    );
  }
}

function otherServer(): Target | undefined {
  const { ads, folder, pid } = values;
  if (ads === undefined && folder === undefined && pid === undefined) return undefined;
  if (ads === undefined || folder === undefined || pid === undefined)
    throw new RangeError('--ads, --folder and --pid go together');
  return {
    name: ads,
    address: ads,
    folder,
    pid: wholeNumber('pid', pid),
    gatehouse: undefined,
    readyAfter: undefined,
    close: () => Promise.resolve(),
  };
}

interface Issued {
  readonly rows: readonly { readonly name: string; readonly callers: number; readonly perCpuSecond: number }[];
}

/** By the bench that has always measured them, in a process of its own. */
async function certificates(rows: Row[]): Promise<void> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    join(import.meta.dirname, 'issuance.ts'),
    '4',
    '-o',
    'json',
  ]);
  const { rows: issued }: Issued = JSON.parse(stdout);
  for (const { name, callers, perCpuSecond } of issued)
    rows.push({
      work: `certificates, ${name}, ${String(callers)} callers`,
      server: 'gatehouse',
      repeats: 4,
      figures: { perCpuSecond },
    });
}

if (values.help) process.stdout.write(HELP);
else {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    process.stderr.write(`bench/scale.ts: ${error.message} (see --help)\n`);
    process.exitCode = 2;
  }
}
