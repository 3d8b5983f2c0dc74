// What a gateway with thousands of VirtualServices costs, from the file to the resources, without a connection: the first time, and one
// changed weight. Usage: node bench/gateway.ts --help
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LiveMesh } from '../mesh/source/live-mesh.ts';
import { changedNames, NO_RESOURCES, type ResourceSet, TYPE_URLS } from '../xds/resource-set.ts';
import { snapshotResources } from '../xds/resources/source.ts';
import { replaceFile, type MeshFile } from './mesh/files.ts';
import { wholeNumber } from './mesh/options.ts';

const HELP = `What a gateway with many VirtualServices costs, in CPU ms, without a connection.

  --hosts N         VirtualServices, each with two subsets of a service of its own, at one Gateway (2000)
  --changes N       of one weight; medians are printed (10)
  -o json           instead of a table

Examples:
  node bench/gateway.ts
  node bench/gateway.ts --hosts 200 -o json
`;

const GATEWAY = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: entry, namespace: edge}
spec:
  selector: {app: entry}
  servers:
    - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: entry, namespace: edge}
---
apiVersion: v1
kind: Service
metadata: {name: entry, namespace: edge}
spec: {selector: {app: entry}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: entry-0, namespace: edge, labels: {app: entry}}
spec: {serviceAccountName: entry, containers: [{name: proxy, image: proxy}]}
status: {podIP: 10.9.0.1, phase: Running}
`;

function hostFile(index: number, weight: number): MeshFile {
  const name = `web-${String(index)}`;
  const at = `10.32.${String(index >> 8)}.${String(index & 255)}`;
  return {
    path: `${name}.yaml`,
    text: `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${name}.shop.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: ${at}, labels: {version: v1}}, {address: ${at}, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: shop}
spec:
  host: ${name}.shop.svc.cluster.local
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: [${name}.example.com]
  gateways: [edge/entry]
  http:
    - route:
        - {destination: {host: ${name}.shop.svc.cluster.local, subset: v1}, weight: ${String(weight)}}
        - {destination: {host: ${name}.shop.svc.cluster.local, subset: v2}, weight: ${String(100 - weight)}}
`,
  };
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

interface Cost {
  readonly snapshotMs: number;
  readonly resourcesMs: number;
  /** Of the resources that are others than before. */
  readonly bytes: number;
}

function bytesUnlike(before: ResourceSet | undefined, after: ResourceSet): number {
  let bytes = 0;
  for (const type of TYPE_URLS) {
    const now = after.get(type) ?? NO_RESOURCES;
    for (const name of changedNames(before?.get(type) ?? NO_RESOURCES, now)) bytes += now.get(name)?.any.length ?? 0;
  }
  return bytes;
}

function measure(hosts: number, changes: number): readonly { readonly work: string; readonly cost: Cost }[] {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  try {
    mkdirSync(folder, { recursive: true });
    replaceFile(folder, { path: 'gateway.yaml', text: GATEWAY });
    for (let index = 0; index < hosts; index += 1) replaceFile(folder, hostFile(index, 50));
    const live = new LiveMesh({ paths: [folder] });
    let clock = Date.now();
    let source: ReturnType<typeof snapshotResources> | undefined;
    let told: ResourceSet | undefined;
    const look = (...changed: readonly string[]): Cost => {
      let began = cpuMs();
      const { snapshot } = live.scan(
        (clock += 60_000),
        0,
        changed.length === 0 ? 'all' : { entries: new Set(changed), next: undefined },
      );
      if (snapshot === undefined) throw new Error('nothing changed');
      const snapshotMs = cpuMs() - began;
      began = cpuMs();
      if (source === undefined) source = snapshotResources(snapshot, { generation: 1, rootsPem: 'roots\n' });
      else source.publish(snapshot);
      const answer = source.resourcesFor({ kind: 'gateway', namespace: 'edge', pod: 'entry-0', identity: undefined }, 'delta');
      if (answer.kind !== 'found') throw new Error(`the gateway is ${answer.kind}`);
      const resourcesMs = cpuMs() - began;
      const bytes = bytesUnlike(told, answer.set);
      told = answer.set;
      return { snapshotMs, resourcesMs, bytes };
    };
    const first = look();
    const all = Array.from({ length: changes }, (_, number) => {
      const file = hostFile((number * 7) % hosts, 1 + number);
      replaceFile(folder, file);
      return look(join(folder, file.path));
    });
    const median = (key: keyof Cost): number => all.map((cost) => cost[key]).toSorted((a, b) => a - b)[all.length >> 1] ?? 0;
    const change = { snapshotMs: median('snapshotMs'), resourcesMs: median('resourcesMs'), bytes: median('bytes') };
    return [
      { work: 'first', cost: first },
      { work: 'one weight', cost: change },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  const { values } = parseArgs({
    options: {
      hosts: { type: 'string', default: '2000' },
      changes: { type: 'string', default: '10' },
      output: { type: 'string', short: 'o', default: 'table' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) process.stdout.write(HELP);
  else {
    const hosts = wholeNumber('hosts', values.hosts);
    const rows = measure(hosts, wholeNumber('changes', values.changes));
    const [load = 0] = loadavg();
    if (values.output === 'json') process.stdout.write(`${JSON.stringify({ hosts, rows, load }, null, 2)}\n`);
    else
      for (const { work, cost } of rows)
        process.stdout.write(
          `${work.padEnd(12)} snapshot ${cost.snapshotMs.toFixed(1)} ms, resources ${cost.resourcesMs.toFixed(1)} ms, ${(cost.bytes / 1e6).toFixed(3)} MB\n`,
        );
  }
} catch (error) {
  if (!(error instanceof RangeError) && !(error instanceof TypeError && 'code' in error)) throw error;
  process.stderr.write(`bench/gateway.ts: ${error.message} (see --help)\n`);
  process.exitCode = 2;
}
