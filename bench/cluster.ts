// What a large cluster costs the control plane: its start, its memory, its requests to the API server, one Pod that changes, and admission. Against a real
// kube-apiserver with etcd. Usage: node bench/cluster.ts --help
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { apiClient, type ApiClient } from '../kubernetes/api/client.ts';
import { clusterAccess } from '../kubernetes/api/connect.ts';
import { installObjects } from '../kubernetes/install/objects.ts';
import { DEFAULTS } from '../kubernetes/install/options.ts';
import { ApiServer } from '../test/kubernetes/api-server.ts';
import { looseDefinition } from '../test/kubernetes/definition.ts';
import { eventually } from '../test/eventually.ts';
import { kubernetesPrograms } from '../test/tools/kube-api-server.ts';
import { admissions } from './cluster/admissions.ts';
import { fill, namespaceName, podName, slicesWithEndpoints } from './cluster/fill.ts';
import { type Answered, answered, difference } from './cluster/requests.ts';
import { type Running, startServe } from './cluster/server.ts';
import { cpuSeconds, peakRssMb, rssMb } from './scale/process.ts';

const HELP = `What a large cluster costs the control plane.

  --namespaces N    (1000)
  --pods N          in each namespace, with proxies (10)
  --services N      in each namespace (2)
  --changes N       Pods that change, one after the other (20)
  --starts N        starts after the first; medians are printed (3)
  --node-flags=LIST for the control plane, after an equals sign: --node-flags='--cpu-prof --cpu-prof-dir=/tmp'
  -o json           instead of a table

Needs Go, or the API server that the tests have built. Filling the cluster takes minutes. As root the control plane runs as in a Pod of the installation.

Examples:
  node bench/cluster.ts --namespaces 100
  node bench/cluster.ts -o json
`;

interface Row {
  readonly work: string;
  readonly wallSeconds?: number;
  readonly cpuSeconds?: number;
  readonly rssMb?: number;
  readonly peakMb?: number;
  readonly requests?: number;
  readonly megabytes?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly note?: string;
}

const NAMESPACE = DEFAULTS.namespace;
const STATUS = [
  ['wall s', 'wallSeconds', 2],
  ['CPU s', 'cpuSeconds', 3],
  ['RSS MB', 'rssMb', 0],
  ['peak MB', 'peakMb', 0],
  ['requests', 'requests', 0],
  ['MB read', 'megabytes', 1],
  ['p50 ms', 'p50Ms', 1],
  ['p99 ms', 'p99Ms', 1],
] as const;

const { values } = parseArgs({
  options: {
    namespaces: { type: 'string', default: '1000' },
    pods: { type: 'string', default: '10' },
    services: { type: 'string', default: '2' },
    changes: { type: 'string', default: '20' },
    starts: { type: 'string', default: '3' },
    'node-flags': { type: 'string', default: '' },
    output: { type: 'string', short: 'o', default: 'table' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const number = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`"${text}" is no number from 1 on`);
  return value;
};

async function main(): Promise<void> {
  const programs = kubernetesPrograms();
  if (programs === undefined) throw new Error('there is no API server, and no Go to build it');
  const size = { namespaces: number(values.namespaces), pods: number(values.pods), services: number(values.services) };
  const tell = (what: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${what}\n`);
  const dir = mkdtempSync(join(tmpdir(), 'gh-bench-cluster-'));
  const api = await ApiServer.start(programs);
  const client = apiClient(await clusterAccess({ file: api.kubeconfig, context: undefined }), 16);
  const rows: Row[] = [];
  try {
    await prepare(api);
    await fill(client, size, tell);
    await eventually(
      'every Service has its endpoints',
      async () => ((await slicesWithEndpoints(client)) >= size.namespaces * size.services ? true : undefined),
      600_000,
    );
    tell('filled');
    const metrics = async (): Promise<string> => (await api.kubectl(['get', '--raw', '/metrics'])).stdout;
    const place = {
      url: api.url,
      ca: api.ca,
      token: await api.token(NAMESPACE, 'gatehouse', { seconds: 86_400 }),
      namespace: NAMESPACE,
      kubeconfig: api.kubeconfig,
      nodeFlags: values['node-flags'].split(' ').filter((flag) => flag !== ''),
    };
    const start = (name: string): Promise<Running> => {
      mkdirSync(join(dir, name), { recursive: true });
      return startServe({ ...place, dir: join(dir, name) });
    };
    rows.push(...(await firstStart(() => start('first'), metrics, tell)));
    for (let turn = 1; turn <= number(values.starts); turn++)
      rows.push(await laterStart(() => start(`later-${turn}`), metrics, turn));
    const serve = await start('steady');
    try {
      rows.push(await atRest(serve));
      rows.push(...(await changes(client, serve, number(values.changes))));
      tell('admission');
      rows.push(...(await admissions(client, serve)));
    } finally {
      await serve.close();
    }
  } finally {
    client.close();
    await api.close();
    rmSync(dir, { recursive: true, force: true });
  }
  if (values.output === 'json') process.stdout.write(`${JSON.stringify({ ...size, load: loadavg()[0], rows }, null, 2)}\n`);
  else print(rows);
}

async function prepare(api: ApiServer): Promise<void> {
  await api.apply(
    looseDefinition('networking.istio.io', 'VirtualService'),
    looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } },
  );
  // Its Deployment would only make Pods that nobody runs, and its webhooks are asked through nobody's Service.
  const wanted = installObjects({ ...DEFAULTS, crds: 'none', networkPolicy: false }, []).filter(
    ({ kind }) => !/Deployment|Disruption/.test(kind),
  );
  const text = wanted.map((object) => JSON.stringify(object)).join('\n---\n');
  const { code, stderr } = await api.kubectl(['apply', '--server-side', '-f', '-'], { input: text });
  if (code !== 0) throw new Error(stderr);
}

function requestNote(requests: readonly (readonly [string, number])[]): string {
  return requests
    .slice(0, 6)
    .map(([key, count]) => `${count} ${key}`)
    .join(', ');
}

const sum = (requests: readonly (readonly [string, number])[]): number => requests.reduce((total, [, count]) => total + count, 0);

/** As long as something is still asked, it is not over. */
async function settled(metrics: () => Promise<string>): Promise<Answered> {
  let before = await answered(metrics);
  return eventually(
    'the API server is quiet',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const now = await answered(metrics);
      const quiet = sum(difference(before, now).requests) < 12;
      before = now;
      return quiet ? now : undefined;
    },
    300_000,
  );
}

async function firstStart(
  start: () => Promise<Running>,
  metrics: () => Promise<string>,
  tell: (what: string) => void,
): Promise<readonly Row[]> {
  const before = await settled(metrics);
  const began = performance.now();
  const serve = await start();
  try {
    const ready = { cpuSeconds: cpuSeconds(serve.pid), rssMb: rssMb(serve.pid), peakMb: peakRssMb(serve.pid) };
    tell(`the first start took ${serve.readyAfter.toFixed(1)} s`);
    const after = await settled(metrics);
    const { requests, megabytes } = difference(before, after);
    return [
      { work: 'first start, until ready', wallSeconds: serve.readyAfter, ...ready },
      {
        work: 'and until all was written',
        wallSeconds: (performance.now() - began) / 1000,
        cpuSeconds: cpuSeconds(serve.pid),
        rssMb: rssMb(serve.pid),
        peakMb: peakRssMb(serve.pid),
        requests: sum(requests),
        megabytes,
        note: requestNote(requests),
      },
    ];
  } finally {
    await serve.close();
  }
}

async function laterStart(start: () => Promise<Running>, metrics: () => Promise<string>, turn: number): Promise<Row> {
  const before = await settled(metrics);
  const serve = await start();
  try {
    const ready = { cpuSeconds: cpuSeconds(serve.pid), rssMb: rssMb(serve.pid), peakMb: peakRssMb(serve.pid) };
    const { requests, megabytes } = difference(before, await settled(metrics));
    return {
      work: `start ${turn}`,
      wallSeconds: serve.readyAfter,
      ...ready,
      requests: sum(requests),
      megabytes,
      note: requestNote(requests),
    };
  } finally {
    await serve.close();
  }
}

/** Twenty seconds in which nothing changes. */
async function atRest(serve: Running): Promise<Row> {
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const began = cpuSeconds(serve.pid);
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  return { work: '20 s at rest', wallSeconds: 20, cpuSeconds: cpuSeconds(serve.pid) - began, rssMb: rssMb(serve.pid) };
}

async function snapshot(serve: Running): Promise<number> {
  const answer: unknown = await (await fetch(`http://${serve.http}/healthz`)).json();
  return typeof answer === 'object' && answer !== null && 'snapshot' in answer ? Number(answer.snapshot) : 0;
}

/** A Pod that is no longer ready, and one whose kubelet reports what matters to nobody. */
async function changes(client: ApiClient, serve: Running, count: number): Promise<readonly Row[]> {
  const patch = (index: number, status: unknown): Promise<unknown> =>
    client.request({
      method: 'PATCH',
      contentType: 'application/strategic-merge-patch+json',
      path: `/api/v1/namespaces/${namespaceName(index)}/pods/${podName(0)}/status`,
      body: { status },
    });
  const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 500));
  const latencies: number[] = [];
  let cpu = cpuSeconds(serve.pid);
  for (let index = 0; index < count; index++) {
    const before = await snapshot(serve);
    const began = performance.now();
    await patch(index, { conditions: [{ type: 'Ready', status: 'False' }] });
    await eventually('a snapshot has it', async () => ((await snapshot(serve)) > before ? true : undefined), 20_000);
    latencies.push(performance.now() - began);
    await pause();
  }
  const changed = (cpuSeconds(serve.pid) - cpu) / count;
  cpu = cpuSeconds(serve.pid);
  const from = await snapshot(serve);
  for (let index = 0; index < count; index++) {
    await patch(index, { message: `nobody's business, ${index}` });
    await pause();
  }
  const ignored = (cpuSeconds(serve.pid) - cpu) / count;
  const made = (await snapshot(serve)) - from;
  latencies.sort((one, other) => one - other);
  return [
    {
      work: 'one Pod unready',
      cpuSeconds: changed,
      p50Ms: latencies[latencies.length >> 1] ?? 0,
      p99Ms: latencies.at(-1) ?? 0,
      note: 'the slowest, for p99',
    },
    { work: 'a status of no interest', cpuSeconds: ignored, note: `${made} snapshots` },
  ];
}

function print(rows: readonly Row[]): void {
  const table = new Table({
    head: ['work', ...STATUS.map(([title]) => title), 'note'],
    colAligns: ['left', ...STATUS.map(() => 'right' as const), 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows)
    table.push([row.work, ...STATUS.map(([, key, digits]) => row[key]?.toFixed(digits) ?? ''), row.note ?? '']);
  process.stdout.write(
    `${table.toString()}\nload ${loadavg()
      .map((one) => one.toFixed(1))
      .join(' ')}\n`,
  );
}

if (values.help) process.stdout.write(HELP);
else await main();
