// What an automatic scope saves: one real Envoy among many services, told of all and told of those that its workload was seen to call.
// Usage: node bench/automatic-scope.ts --help
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openCallStore } from '../audit/store/calls.ts';
import { createTokenIssuer, TOKEN_AUDIENCE, TOKEN_ISSUER } from '../cli/up/tokens.ts';
import { parseHostname } from '../mesh/model/hostname.ts';
import { writeMesh } from './mesh/files.ts';
import { meshFlags, parseMeshOptions, wholeNumber } from './mesh/options.ts';
import { type MeshPlan, planMesh } from './mesh/plan.ts';
import { Envoys } from './scale/envoys.ts';
import { cpuSeconds, rssMb } from './scale/process.ts';
import { startGatehouse } from './scale/target.ts';

const HELP = `One real Envoy (GATEHOUSE_ENVOY) among many services, with and without an automatic scope.

  --services N   with three endpoints each (1000)
  --scope N      services that its workload was seen to call (10)
  --repeats N    of each, in turn (3)
  --form entries services as ServiceEntries, or: services
`;

const { values } = parseArgs({
  options: {
    ...meshFlags,
    services: { type: 'string', default: '1000' },
    proxies: { type: 'string', default: '1' },
    scope: { type: 'string', default: '10' },
    repeats: { type: 'string', default: '3' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

/** The calls of the proxy's workload, in the store as if they had been recorded. */
async function called(file: string, plan: MeshPlan, count: number): Promise<void> {
  const [proxy] = plan.proxies;
  if (proxy === undefined) throw new RangeError('--proxies: 1 at least');
  const store = await openCallStore({ engine: 'sqlite', file }, () => new Date());
  const now = Date.now();
  const services = plan.services
    .slice(-count)
    .flatMap(({ host }) => parseHostname(host) ?? [])
    .map((service) => ({ workload: `${proxy.namespace}/${proxy.name}`, service, firstSeen: now, lastSeen: now }));
  await store.write(services, 0);
  await store.close();
}

async function once(envoy: string, plan: MeshPlan, scope: number | undefined): Promise<Readonly<Record<string, number>>> {
  const dir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  try {
    const folder = join(dir, 'mesh');
    mkdirSync(folder);
    writeMesh(folder, plan);
    const tokens = await createTokenIssuer(() => new Date());
    const jwks = join(dir, 'jwks.json');
    writeFileSync(jwks, tokens.jwks);
    if (scope !== undefined) await called(join(dir, 'audit.db'), plan, scope);
    const flags = ['--jwks', jwks, '--token-issuer', TOKEN_ISSUER, '--token-audience', TOKEN_AUDIENCE];
    const target = await startGatehouse(folder, dir, [], [...flags, ...(scope === undefined ? [] : ['--automatic-scope'])]);
    const before = cpuSeconds(target.pid);
    const envoys = await Envoys.start(envoy, plan.proxies.slice(0, 1), target, tokens, dir);
    try {
      const { memoryMb = 0, clientCpuSeconds = 0 } = await envoys.configured(120_000);
      const { allocatedMb, sentMb, resources } = await envoys.holdings();
      const serverCpuSeconds = cpuSeconds(target.pid) - before;
      return {
        sentMb,
        resources,
        allocatedMb,
        rssMb: memoryMb,
        envoyCpuSeconds: clientCpuSeconds,
        serverCpuSeconds,
        serverMb: rssMb(target.pid),
      };
    } finally {
      await envoys.stop();
      await target.close();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const envoy = process.env['GATEHOUSE_ENVOY'];
  if (envoy === undefined || !existsSync(envoy)) throw new RangeError('GATEHOUSE_ENVOY must name an Envoy');
  const scope = wholeNumber('scope', values.scope);
  const repeats = wholeNumber('repeats', values.repeats);
  const plan = planMesh(parseMeshOptions(values));
  const all: Record<string, Readonly<Record<string, number>>[]> = {};
  for (let repeat = 0; repeat < repeats; repeat += 1)
    for (const [name, wanted] of [
      ['all', undefined],
      ['scope', scope],
    ] as const)
      (all[name] ??= []).push(await once(envoy, plan, wanted));
  for (const [name, runs] of Object.entries(all)) {
    const medians = Object.keys(runs[0] ?? {}).map((key) => {
      const sorted = runs.map((run) => run[key] ?? 0).sort((a, b) => a - b);
      return `${key} ${(sorted[sorted.length >> 1] ?? 0).toFixed(2)}`;
    });
    process.stdout.write(`${name}: ${medians.join(', ')}\n`);
  }
}

if (values.help) process.stdout.write(HELP);
else await main();
