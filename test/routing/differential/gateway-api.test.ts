import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { parsePort } from '../../../mesh/model/port.ts';
import { normalizedPath } from '../../../policy/evaluate/path.ts';
import { evaluateRoute } from '../../../routing/evaluate/evaluate.ts';
import { envoyPath } from '../../audit/envoy/process.ts';
import { proxyOf, snapshotOf } from '../compiled.ts';
import { call } from '../envoy/call.ts';
import { freePort } from '../envoy/upstream.ts';
import { generatedRequest, type GeneratedRequest } from './arbitrary.ts';
import { startEnvoys } from './envoys.ts';
import { contradiction } from './expected.ts';
import { generatedApiRoutes } from './gateway-api-arbitrary.ts';
import { apiHostOf, apiWorldYaml, writtenApiRoutes } from './gateway-api-world.ts';
import type { Places } from './world.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const CASES = Number(process.env['GATEHOUSE_ROUTE_CASES'] ?? 120);
const REQUESTS = Number(process.env['GATEHOUSE_ROUTE_REQUESTS'] ?? 20);
const AT_ONCE = 8;

async function places(): Promise<Places> {
  const at = (last: number) => `127.25.${process.pid % 250}.${last}`;
  return {
    gatewayPort: await freePort(),
    upstreamPort: await freePort(),
    servers: { v1: at(1), v2: at(2), v3: at(3), other: at(4) },
    pod: at(10),
    application: at(11),
  };
}

type From = 'gateway:istio-system/ingress' | 'default/client';

describe('Gateway API routes, differential: evaluate and Envoy', function () {
  it('take the same rules to the same backends', async function () {
    this.timeout(120_000 + CASES * REQUESTS * 20);
    const envoy = envoyPath();
    if (envoy === undefined) {
      if (process.env['CI'] !== undefined) throw new Error('GATEHOUSE_ENVOY names no Envoy');
      this.skip();
    }
    process.stdout.write(
      `    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep 'Gateway API routes, differential'\n`,
    );
    const cases = fc.sample(generatedApiRoutes, { numRuns: CASES, seed: SEED });
    const requests = fc.sample(generatedRequest, { numRuns: CASES * REQUESTS, seed: SEED + 1 });
    const at = await places();
    const snapshot = snapshotOf(apiWorldYaml(at, cases));
    const askers = {
      'gateway:istio-system/ingress': proxyOf(snapshot, 'gateway:istio-system/ingress'),
      'default/client': proxyOf(snapshot, 'default/client'),
    };
    const asked = requests.flatMap((request, n) => [
      { index: n % CASES, from: 'gateway:istio-system/ingress' as const, request },
      { index: n % CASES, from: 'default/client' as const, request },
    ]);
    const hostHeader = (index: number, from: From, request: GeneratedRequest): string => {
      const { gateway, mesh, port } = apiHostOf(index);
      const names = from === 'default/client' ? mesh : gateway;
      const name = names[request.name % names.length] ?? '';
      return from === 'default/client' ? `${name}:${port}` : request.port ? `${name}:80` : name;
    };
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
    const running = await startEnvoys(envoy, snapshot, at);
    const kinds = new Map<string, number>();
    const differences: string[] = [];
    try {
      const left = asked.values();
      const worker = async () => {
        for (const { index, from, request } of left) {
          const { method, path, headers } = request;
          const host = hostHeader(index, from, request);
          const query = path.includes('?') ? path.slice(path.indexOf('?')) : '';
          const explained = evaluateRoute(snapshot, askers[from], {
            method,
            scheme: 'http',
            host,
            port: from === 'default/client' ? undefined : parsePort(80),
            path: normalizedPath(path, 'BASE') + query,
            headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
            claims: undefined,
          });
          const [address, port] = from === 'default/client' ? [at.application, 15001] : ['127.0.0.1', at.gatewayPort];
          const answer = await call(agent, address, port, host, path, { method, headers });
          const { outcome } = explained;
          const refused = outcome.kind === 'route' && outcome.destinations.some(({ trouble }) => trouble?.status === 500);
          for (const kind of [outcome.kind, ...(refused ? ['500'] : [])]) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
          const wrong = contradiction(explained, answer, headers, at.servers);
          if (wrong === undefined) continue;
          const objects = writtenApiRoutes(index, cases[index] ?? []);
          const yaml = objects.map((object) => stringify(JSON.parse(JSON.stringify(object)))).join('---\n');
          differences.push(`${from} ${method} ${host}${path} ${JSON.stringify(headers)}\n  wanted ${wrong}\n${yaml}`);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    } finally {
      agent.destroy();
      await running.close();
    }
    process.stdout.write(
      `    ${asked.length} requests: ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}; ${differences.length} differ\n`,
    );
    assert.deepEqual(
      differences.slice(0, 3),
      [],
      `${differences.length} differences; seed ${SEED}\n${differences.slice(0, 3).join('\n')}`,
    );
    for (const kind of ['route', 'redirect', 'direct-response', '500'])
      assert.ok((kinds.get(kind) ?? 0) > asked.length / 100, `${kind}: all kinds of answers must be tried`);
  });
});
