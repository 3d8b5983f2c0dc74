// What it costs to compile many policies for many workloads, and to change one of them: CPU time and memory, for a mesh and for those of ten
// and a hundred times the size. Usage: node bench/policy-compile.ts [-o json]
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import { LiveMesh } from '../mesh/source/live-mesh.ts';
import { NOBODY } from '../policy/compile/revoked.ts';
import { policyDiagnostics } from '../policy/diagnose/policy-diagnostics.ts';
import { NO_KEYS } from '../policy/jwks/known.ts';
import type { Resources } from '../xds/resource-set.ts';
import { discoveredSecurity, extensionResources } from '../xds/resources/security.ts';

const { values: flags } = parseArgs({ options: { output: { type: 'string', short: 'o', default: 'table' } } });

const CHANGES = 15;
const WORKLOADS_IN_NAMESPACE = 10;
const POLICIES_IN_NAMESPACE = 100;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapMb(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed / 1_000_000;
}

/** Of this thread, so that what else the machine does counts little; the collector's own threads are left out. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

const namespace = (index: number): string => `team-${String(index).padStart(4, '0')}`;

function policy(space: number, index: number, path: string): string {
  // Of ten policies, four are for all of the namespace and the others for one workload.
  const selector = index % 10 < 4 ? '' : `  selector:\n    matchLabels:\n      app: app-${index % WORKLOADS_IN_NAMESPACE}\n`;
  const callers = [1, 2].map((step) => `cluster.local/ns/${namespace((space + step) % 97)}/sa/app-${(index * step) % 31}`);
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: policy-${index}
  namespace: ${namespace(space)}
spec:
${selector}  action: ${index % 25 === 24 ? 'DENY' : 'ALLOW'}
  rules:
  - from:
    - source:
        principals: [${callers.map((name) => JSON.stringify(name)).join(', ')}]
    to:
    - operation:
        methods: ["GET", "POST"]
        paths: ["${path}", "${path}/*"]
`;
}

function workload(space: number, index: number): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-${index}
  namespace: ${namespace(space)}
spec:
  selector:
    matchLabels: {app: app-${index}}
  template:
    metadata:
      labels: {app: app-${index}}
    spec:
      containers:
      - name: app
        image: app
        ports:
        - containerPort: 8080
`;
}

interface Figures {
  readonly [what: string]: string | number;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function measure(namespaces: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  try {
    mkdirSync(join(folder, 'mesh'));
    const file = (space: number): string => join(folder, 'mesh', `${namespace(space)}.yaml`);
    for (let space = 0; space < namespaces; space++) {
      const policies = Array.from({ length: POLICIES_IN_NAMESPACE }, (_, index) => policy(space, index, `/api/${index % 20}`));
      const workloads = Array.from({ length: WORKLOADS_IN_NAMESPACE }, (_, index) => workload(space, index));
      writeFileSync(file(space), [...workloads, ...policies].join('---\n'));
    }
    const empty = heapMb();
    const live = new LiveMesh({ paths: [join(folder, 'mesh')], assumePods: true });
    let clock = Date.now() + 60_000;
    const scan = (): Snapshot => {
      clock += 60_000;
      const { snapshot } = live.scan(clock, 0);
      if (snapshot === undefined) throw new Error('nothing changed');
      return snapshot;
    };
    const began = cpuMs();
    let snapshot = scan();
    const admitted = cpuMs();
    const withMesh = heapMb();

    const kept = new Map<string, Resources>();
    const compile = (): { readonly ms: number; readonly changed: number } => {
      const from = cpuMs();
      let changed = 0;
      for (const one of snapshot.workloads) {
        const { extensions } = discoveredSecurity(snapshot, one, NOBODY, NO_KEYS);
        const encoded = extensionResources(extensions);
        const key = `${one.namespace}/${one.name}`;
        if (kept.get(key) !== encoded) {
          kept.set(key, encoded);
          changed += 1;
        }
      }
      return { ms: cpuMs() - from, changed };
    };
    const first = compile();
    const diagnose = (): number => {
      const from = cpuMs();
      policyDiagnostics(snapshot);
      return cpuMs() - from;
    };
    const diagnosed = diagnose();
    const withAll = heapMb();
    const again = median(Array.from({ length: CHANGES }, () => compile().ms));

    const scans: number[] = [];
    const compiles: number[] = [];
    const looks: number[] = [];
    const findings: number[] = [];
    let touched = 0;
    for (let change = 0; change < CHANGES; change++) {
      const space = (change * 7) % namespaces;
      const text = readFileSync(file(space), 'utf8');
      const at = text.indexOf(`name: policy-${change * 6 + 4}\n`);
      const path = text.indexOf('paths: ["', at) + 'paths: ["'.length;
      writeFileSync(file(space), `${text.slice(0, path)}/changed-${change}${text.slice(path)}`);
      const start = cpuMs();
      snapshot = scan();
      scans.push(cpuMs() - start);
      // First the workloads of other namespaces, to see what they cost by themselves.
      const from = cpuMs();
      for (const one of snapshot.workloads)
        if (one.namespace !== namespace(space)) discoveredSecurity(snapshot, one, NOBODY, NO_KEYS);
      const look = cpuMs() - from;
      looks.push(look);
      const { ms, changed } = compile();
      compiles.push(ms + look);
      findings.push(diagnose());
      touched += changed;
    }
    const bytes = [...kept.values()].flatMap((all) => [...all.values()]).reduce((sum, { any }) => sum + any.length, 0);
    const round = (value: number): number => Number(value.toFixed(1));
    return {
      policies: namespaces * POLICIES_IN_NAMESPACE,
      workloads: namespaces * WORKLOADS_IN_NAMESPACE,
      'read and admit, ms': round(admitted - began),
      'compile all, ms': round(first.ms),
      'diagnose all, ms': round(diagnosed),
      'mesh, MB': round(withMesh - empty),
      'compiled, MB': round(withAll - withMesh),
      'bytes to proxies, MB': round(bytes / 1_000_000),
      'nothing changed, ms': round(again),
      'one changed: read and admit, ms': round(median(scans)),
      'one changed: compile, ms': round(median(compiles)),
      'of which for all that did not, ms': round(median(looks)),
      'one changed: diagnose, ms': round(median(findings)),
      'one changed: workloads told': round(touched / CHANGES),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const rows = [await measure(1), await measure(10), await measure(100)];
if (flags.output === 'json') process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
else
  for (const what of Object.keys(rows[0] ?? {}))
    process.stdout.write(`${what.padEnd(36)}${rows.map((row) => String(row[what]).padStart(12)).join('')}\n`);
