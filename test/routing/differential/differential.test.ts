import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { parsePort } from '../../../mesh/model/port.ts';
import { normalizedPath } from '../../../policy/evaluate/path.ts';
import { evaluateRoute } from '../../../routing/evaluate/evaluate.ts';
import type { RouteRequest } from '../../../routing/evaluate/question.ts';
import { envoyPath } from '../../audit/envoy/process.ts';
import { proxyOf, snapshotOf } from '../compiled.ts';
import { call } from '../envoy/call.ts';
import { freePort } from '../envoy/upstream.ts';
import { generatedRequest, generatedRoutes, type GeneratedRequest } from './arbitrary.ts';
import { startEnvoys } from './envoys.ts';
import { contradiction } from './expected.ts';
import { hostOf, type Places, worldYaml, written } from './world.ts';

const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);
const CASES = Number(process.env['GATEHOUSE_ROUTE_CASES'] ?? 160);
const REQUESTS = Number(process.env['GATEHOUSE_ROUTE_REQUESTS'] ?? 20);
const AT_ONCE = 8;

/** Addresses of this process: two runs on one machine do not meet. */
async function places(): Promise<Places> {
  const at = (last: number) => `127.24.${process.pid % 250}.${last}`;
  return {
    gatewayPort: await freePort(),
    upstreamPort: await freePort(),
    servers: { v1: at(1), v2: at(2), v3: at(3), other: at(4) },
    pod: at(10),
    application: at(11),
  };
}

interface Asked {
  readonly index: number;
  readonly from: 'gateway:istio-system/ingress' | 'default/client';
  readonly request: GeneratedRequest;
}

function hostHeader({ index, from, request }: Asked): string {
  const { names, port } = hostOf(index);
  const name = names[request.name % names.length] ?? '';
  return request.port ? `${name}:${from === 'default/client' ? port : 80}` : name;
}

function question(asked: Asked): RouteRequest {
  const { request, from } = asked;
  const query = request.path.includes('?') ? request.path.slice(request.path.indexOf('?')) : '';
  return {
    method: request.method,
    scheme: 'http',
    host: hostHeader(asked),
    port: from === 'default/client' ? undefined : parsePort(80),
    path: normalizedPath(request.path, 'BASE') + query,
    headers: new Map(Object.entries(request.headers).map(([name, value]) => [name, [value]])),
    claims: undefined,
  };
}

describe('routing, differential: evaluate and Envoy', function () {
  it('take the same routes to the same destinations', async function () {
    this.timeout(120_000 + CASES * REQUESTS * 20);
    const envoy = envoyPath();
    if (envoy === undefined) {
      if (process.env['CI'] !== undefined) throw new Error('GATEHOUSE_ENVOY names no Envoy');
      this.skip();
    }
    process.stdout.write(`    seed ${SEED}; again: GATEHOUSE_SEED=${SEED} npm test -- --grep 'routing, differential'\n`);
    const cases = fc.sample(generatedRoutes, { numRuns: CASES, seed: SEED });
    const requests = fc.sample(generatedRequest, { numRuns: CASES * REQUESTS, seed: SEED + 1 });
    const at = await places();
    const snapshot = snapshotOf(worldYaml(at, cases));
    const asked = requests.flatMap((request, n): readonly Asked[] => [
      { index: n % CASES, from: 'gateway:istio-system/ingress', request },
      { index: n % CASES, from: 'default/client', request },
    ]);
    const askers = {
      'gateway:istio-system/ingress': proxyOf(snapshot, 'gateway:istio-system/ingress'),
      'default/client': proxyOf(snapshot, 'default/client'),
    };
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
    const running = await startEnvoys(envoy, snapshot, at);
    const kinds = new Map<string, number>();
    const differences: string[] = [];
    const one = async (what: Asked) => {
      const explained = evaluateRoute(snapshot, askers[what.from], question(what));
      const [address, port] = what.from === 'default/client' ? [at.application, 15001] : ['127.0.0.1', at.gatewayPort];
      const { method, path, headers } = what.request;
      const answer = await call(agent, address, port, hostHeader(what), path, { method, headers });
      kinds.set(explained.outcome.kind, (kinds.get(explained.outcome.kind) ?? 0) + 1);
      const wrong = contradiction(explained, answer, headers, at.servers);
      if (wrong === undefined) return;
      const generated = cases[what.index];
      const objects = generated === undefined ? [] : written(what.index, generated);
      const yaml = objects.map((object) => stringify(JSON.parse(JSON.stringify(object)))).join('---\n');
      const route = JSON.stringify(explained.taken === undefined ? null : { ...explained.taken, virtualService: undefined });
      differences.push(
        `${what.from} ${method} ${hostHeader(what)}${path} ${JSON.stringify(headers)}\n  wanted ${wrong}\n  route ${route}\n${yaml}`,
      );
    };
    try {
      const left = asked.values();
      const worker = async () => {
        for (const what of left) await one(what);
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
    for (const kind of ['route', 'redirect', 'direct-response', 'refused'])
      assert.ok((kinds.get(kind) ?? 0) > asked.length / 100, `${kind}: all kinds of answers must be tried`);
  });
});
