// What many NamespaceRollouts cost a control plane that has nothing to do, and how long an order and a spike of denials take with them. With files, and against
// a real kube-apiserver. Usage: node bench/rollouts.ts --help
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { pino } from 'pino';
import { Recorder } from '../audit/intake/recorder.ts';
import type { AccessRecord } from '../audit/model/record.ts';
import { openSqliteStore } from '../audit/store/sqlite.ts';
import { parseSpiffeId, type SpiffeId } from '../ca/identity/spiffe-id.ts';
import { adminSocketPath } from '../cli/serve/admin-socket.ts';
import { DEFAULTS } from '../kubernetes/install/options.ts';
import { edge, record } from '../test/audit/edges.ts';
import { RunningServe } from '../test/cli/running-serve.ts';
import { eventually } from '../test/eventually.ts';
import { ApiServer, at } from '../test/kubernetes/api-server.ts';
import { looseDefinition } from '../test/kubernetes/definition.ts';
import { kubernetesPrograms } from '../test/tools/kube-api-server.ts';
import { type Answered, answered, difference } from './cluster/requests.ts';
import { cpuSeconds, peakRssMb, rssMb } from './scale/process.ts';

const HELP = `What many NamespaceRollouts cost a control plane.

  --rollouts N   one in each namespace (300)
  --edges N      kinds of calls in each namespace, each in every hour of a week (5)
  --seconds N    how long it is looked at at rest (60)
  --kubernetes   against an API server of its own; needs Go, or what the tests have built
  -o json        instead of a table

Examples:
  node bench/rollouts.ts
  node bench/rollouts.ts --kubernetes --rollouts 100
`;

const { values } = parseArgs({
  options: {
    rollouts: { type: 'string', default: '300' },
    edges: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '60' },
    kubernetes: { type: 'boolean', default: false },
    output: { type: 'string', short: 'o', default: 'table' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const [ROLLOUTS = 0, EDGES = 0, SECONDS = 0] = [values.rollouts, values.edges, values.seconds].map(Number);
const HOUR = 3600_000;
const HOURS = 24 * 7;
const log = pino({ level: 'silent' });
const tell = (what: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${what}\n`);
const namespaceAt = (index: number): string => `ns-${index}`;

interface Row {
  readonly rollouts: string;
  /** Until each was looked at once. */
  readonly startSeconds: number;
  readonly startCpu: number;
  readonly restCpuPerMinute: number;
  readonly requestsPerMinute: number;
  readonly rss: number;
  readonly peak: number;
  readonly orderMs: number;
  readonly orderWorstMs: number;
  readonly spikeMs: number;
}

function idOf(namespace: string, account: string): SpiffeId {
  const id = parseSpiffeId(`spiffe://cluster.local/ns/${namespace}/sa/${account}`);
  if (!id.ok) throw new Error(id.reason);
  return id.value;
}

function call(namespace: string, path: number, change: Partial<AccessRecord>): AccessRecord {
  return record({
    source: { principal: idOf(namespace, 'web'), workload: `${namespace}/web`, address: '10.0.0.2' },
    destination: {
      principal: idOf(namespace, 'app'),
      workload: `${namespace}/app`,
      address: undefined,
    },
    service: `app.${namespace}.svc.cluster.local`,
    template: `/p${path}`,
    path: `/p${path}`,
    port: 8080,
    ...change,
  });
}

async function seed(file: string): Promise<void> {
  const begin = Math.floor(Date.now() / HOUR - HOURS) * HOUR;
  const store = await openSqliteStore({ file, clock: () => new Date(begin) });
  for (let index = 0; index < ROLLOUTS; index++) {
    const edges = Array.from({ length: EDGES * HOURS }, (_, one) =>
      edge(call(namespaceAt(index), one % EDGES, { time: begin + Math.floor(one / EDGES) * HOUR })),
    );
    await store.append({ edges, losses: [], receipts: [] });
  }
  await store.close();
  // What a store does with what is old is not what is measured.
  const later = await openSqliteStore({ file, clock: () => new Date() });
  while (await later.upkeep());
  await later.close();
}

function objectsOf(namespace: string, rolled: object | undefined): readonly object[] {
  const labels = { app: 'app' };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'app', namespace },
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'app', namespace },
      spec: {
        // Its Pods are not what is measured.
        ...(values.kubernetes && { replicas: 0 }),
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { serviceAccountName: 'app', containers: [{ name: 'app', image: 'app', ports: [{ containerPort: 8080 }] }] },
        },
      },
    },
    ...(rolled === undefined
      ? []
      : [
          {
            apiVersion: 'gatehouse.dev/v1alpha1',
            kind: 'NamespaceRollout',
            metadata: { name: namespace, namespace },
            spec: rolled,
          },
        ]),
  ];
}

function ask(socketPath: string, method: string, path: string, body?: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath, method, path, timeout: 300_000, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('error', reject);
        response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))));
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

interface World {
  /** What says where the mesh is. */
  readonly source: readonly string[];
  put(objects: readonly object[]): Promise<void>;
  requests(): Promise<Answered>;
  close(): Promise<void>;
}

function files(dir: string): World {
  const folder = join(dir, 'mesh');
  mkdirSync(folder);
  return {
    source: ['-f', folder],
    put: (objects) => {
      writeFileSync(join(folder, 'mesh.yaml'), objects.map((one) => JSON.stringify(one)).join('\n---\n'));
      return Promise.resolve();
    },
    requests: () => Promise.resolve({ requests: new Map(), megabytes: 0 }),
    close: () => Promise.resolve(),
  };
}

async function cluster(): Promise<World> {
  const programs = kubernetesPrograms();
  if (programs === undefined) throw new Error('there is no API server, and no Go to build it');
  const api = await ApiServer.start(programs);
  await api.apply(
    looseDefinition('security.istio.io', 'AuthorizationPolicy', { plural: 'authorizationpolicies' }),
    looseDefinition('security.istio.io', 'PeerAuthentication'),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: DEFAULTS.namespace } },
    readFileSync(join(import.meta.dirname, '..', 'manifests', 'crds', 'namespacerollouts.yaml'), 'utf8'),
  );
  for (const path of ['gatehouse.dev/v1alpha1/namespacerollouts', 'security.istio.io/v1/peerauthentications'])
    await eventually(`${path} is served`, async () =>
      (await api.request('GET', `/apis/${path}`)).status === 200 ? true : undefined,
    );
  return {
    source: ['--kubernetes', '--kubeconfig', api.kubeconfig, '--system-namespace', DEFAULTS.namespace],
    async put(objects) {
      for (let from = 0; from < objects.length; from += 200) await api.apply(...objects.slice(from, from + 200));
    },
    requests: async () => answered(async () => (await api.kubectl(['get', '--raw', '/metrics'])).stdout),
    close: () => api.close(),
  };
}

/** @param spec undefined: without rollouts */
async function measured(name: string, spec: object | undefined, seeded: string, dir: string): Promise<Row> {
  const place = mkdtempSync(join(dir, 'run-'));
  const world = values.kubernetes ? await cluster() : files(place);
  const all = Array.from({ length: ROLLOUTS }, (_, index) => objectsOf(namespaceAt(index), spec)).flat();
  let serve: RunningServe | undefined;
  try {
    tell(`${name}: filling`);
    await world.put(all);
    const began = performance.now();
    serve = new RunningServe(world.source, place, '--audit-db', seeded);
    const { pid } = serve;
    await serve.ready();
    const socket = adminSocketPath(join(place, 'ca'));
    tell(`${name}: started`);
    if (spec !== undefined)
      await eventually(
        'each was looked at',
        async () => {
          const metrics = await fetchText(`http://${(await serve?.ready())?.http ?? ''}/metrics`);
          return metrics.split('\n').filter((line) => /^gatehouse_rollout_stage\{.*\} 1$/.test(line)).length >= ROLLOUTS
            ? true
            : undefined;
        },
        300_000,
      );
    const startSeconds = (performance.now() - began) / 1000;
    const startCpu = cpuSeconds(pid);
    await setTimeout(10_000);
    tell(`${name}: at rest`);
    const [cpu, requests, from] = [cpuSeconds(pid), await world.requests(), performance.now()];
    await setTimeout(SECONDS * 1000);
    const minutes = (performance.now() - from) / 60_000;
    const restCpuPerMinute = (cpuSeconds(pid) - cpu) / minutes;
    const sent = difference(requests, await world.requests()).requests;
    for (const [what, count] of sent.slice(0, 6)) tell(`  ${count} ${what}`);
    const requestsPerMinute = sent.reduce((sum, [, count]) => sum + count, 0) / minutes;
    const rss = rssMb(pid);
    const orders: number[] = [];
    let spikeMs = Number.NaN;
    if (spec !== undefined) {
      for (let turn = 0; turn < 20; turn++) {
        const start = performance.now();
        await ask(socket, 'POST', `/rollout/${namespaceAt(turn * 7)}/pause`, { by: 'bench', reason: 'tried' });
        orders.push(performance.now() - start);
      }
      if (JSON.stringify(spec).includes('enforce')) spikeMs = await spike(socket, seeded);
    }
    orders.sort((one, other) => one - other);
    return {
      rollouts: name,
      startSeconds,
      startCpu,
      restCpuPerMinute,
      requestsPerMinute,
      rss,
      peak: peakRssMb(pid),
      orderMs: orders[10] ?? Number.NaN,
      orderWorstMs: orders.at(-1) ?? Number.NaN,
      spikeMs,
    };
  } finally {
    await serve?.stop();
    await world.close();
  }
}

async function fetchText(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** Records of another replica, as they come into the store: until the step is taken back. */
async function spike(socket: string, file: string): Promise<number> {
  const namespace = namespaceAt(1);
  const order = (name: string, more: object): Promise<unknown> =>
    ask(socket, 'POST', `/rollout/${namespace}/${name}`, { by: 'bench', reason: 'tried', ...more });
  const recorder = new Recorder({
    open: () => openSqliteStore({ file, clock: () => new Date() }),
    log,
    clock: () => new Date(),
    flushMs: 50,
  });
  try {
    await order('advance', { force: true });
    // Longer than a second: edges know seconds at the finest where they are compared.
    await setTimeout(2_000);
    const start = performance.now();
    const denied = Array.from({ length: 20 }, () =>
      call(namespace, 0, { time: Date.now(), verdict: { kind: 'denied-no-rule', policies: [] }, status: 403, reached: false }),
    );
    await recorder.accept(denied);
    await eventually(
      'it is taken back',
      async () => (at(await ask(socket, 'GET', `/rollout/${namespace}`), 'stage') === 'observe' ? true : undefined),
      120_000,
    );
    return performance.now() - start;
  } finally {
    await recorder.close();
  }
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gh-bench-rollouts-'));
  try {
    const seeded = join(dir, 'audit.db');
    tell('seeding the store');
    await seed(seeded);
    const rows: Row[] = [];
    for (const [name, spec] of [
      ['none', undefined],
      ['at their target', { target: 'observe' }],
      ['held by their gates', { target: 'enforce' }],
    ] as const) {
      const row = await measured(name, spec, seeded, dir);
      tell(JSON.stringify(row));
      rows.push(row);
    }
    if (values.output === 'json') return void process.stdout.write(`${JSON.stringify({ load: loadavg()[0], rows }, null, 2)}\n`);
    const table = new Table({
      head: [
        'rollouts',
        'start s',
        'start CPU s',
        'rest CPU s/min',
        'requests/min',
        'RSS MB',
        'peak MB',
        'order ms',
        'worst',
        'spike ms',
      ],
      style: { head: [], border: [] },
    });
    const [none] = rows;
    for (const { rollouts, restCpuPerMinute, ...row } of rows)
      table.push([
        rollouts,
        row.startSeconds.toFixed(1),
        row.startCpu.toFixed(1),
        `${restCpuPerMinute.toFixed(2)} (x ${(restCpuPerMinute / (none?.restCpuPerMinute ?? 1)).toFixed(1)})`,
        ...[row.requestsPerMinute, row.rss, row.peak, row.orderMs, row.orderWorstMs, row.spikeMs].map((value) =>
          value.toFixed(0),
        ),
      ]);
    process.stdout.write(`${table.toString()}\nload ${loadavg()[0]?.toFixed(1) ?? ''}\n`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

if (values.help) process.stdout.write(HELP);
else await main();
