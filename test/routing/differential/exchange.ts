import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { parsePort } from '../../../mesh/model/port.ts';
import type { Proxy } from '../../../mesh/model/proxy.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { normalizedPath } from '../../../policy/evaluate/path.ts';
import type { Answer as Explained } from '../../../routing/evaluate/answer.ts';
import { evaluateRoute } from '../../../routing/evaluate/evaluate.ts';
import { proxyOf } from '../compiled.ts';
import { call } from '../envoy/call.ts';
import { freePort } from '../envoy/upstream.ts';
import type { GeneratedRequest } from './arbitrary.ts';
import { startEnvoys } from './envoys.ts';
import { contradiction } from './expected.ts';
import type { Places } from './world.ts';

const AT_ONCE = 8;

export type From = 'gateway:istio-system/ingress' | 'default/client';

export interface Asked {
  /** Of the generated case that the request is for. */
  readonly index: number;
  readonly from: From;
  readonly host: string;
  readonly request: GeneratedRequest;
}

/** Addresses of this process: two runs on one machine do not meet. */
export async function placesIn(network: 24 | 25): Promise<Places> {
  const at = (last: number) => `127.${network}.${process.pid % 250}.${last}`;
  return {
    gatewayPort: await freePort(),
    upstreamPort: await freePort(),
    servers: { v1: at(1), v2: at(2), v3: at(3), other: at(4) },
    pod: at(10),
    application: at(11),
  };
}

/** Each request through the gateway and through the client's proxy, to the cases in turn. */
export function askedOf(
  requests: readonly GeneratedRequest[],
  cases: number,
  hostOf: (index: number, from: From, request: GeneratedRequest) => string,
): readonly Asked[] {
  return requests.flatMap((request, n) =>
    (['gateway:istio-system/ingress', 'default/client'] as const).map((from) => {
      const index = n % cases;
      return { index, from, host: hostOf(index, from, request), request };
    }),
  );
}

function explain(snapshot: Snapshot, proxy: Proxy, { from, host, request }: Asked): Explained {
  const { method, path, headers } = request;
  const query = path.includes('?') ? path.slice(path.indexOf('?')) : '';
  return evaluateRoute(snapshot, proxy, {
    method,
    scheme: 'http',
    host,
    port: from === 'default/client' ? undefined : parsePort(80),
    path: normalizedPath(path, 'BASE') + query,
    headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])),
    claims: undefined,
  });
}

export interface Comparison {
  /** The program. */
  readonly envoy: string;
  readonly snapshot: Snapshot;
  readonly places: Places;
  readonly asked: readonly Asked[];
  /** Under which names an answer is counted. */
  readonly kindsOf: (explained: Explained) => readonly string[];
  /** What more is told of a request that was answered differently. */
  readonly details: (asked: Asked, explained: Explained) => string;
}

/** Sends all to the real Envoy, and returns how often each kind of answer was explained, and what differed. */
async function compared({ envoy, snapshot, places, asked, kindsOf, details }: Comparison) {
  const askers = {
    'gateway:istio-system/ingress': proxyOf(snapshot, 'gateway:istio-system/ingress'),
    'default/client': proxyOf(snapshot, 'default/client'),
  };
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const running = await startEnvoys(envoy, snapshot, places);
  const kinds = new Map<string, number>();
  const differences: string[] = [];
  const one = async (what: Asked) => {
    const { from, host, request } = what;
    const { method, path, headers } = request;
    const explained = explain(snapshot, askers[from], what);
    const [address, port] = from === 'default/client' ? [places.application, 15001] : ['127.0.0.1', places.gatewayPort];
    const answer = await call(agent, address, port, host, path, { method, headers });
    for (const kind of kindsOf(explained)) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const wrong = contradiction(explained, answer, headers, places.servers);
    if (wrong === undefined) return;
    differences.push(
      `${from} ${method} ${host}${path} ${JSON.stringify(headers)}\n  wanted ${wrong}\n${details(what, explained)}`,
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
  return { kinds, differences };
}

/** Nothing may differ, and each of some kinds of answers must be more than a hundredth of all. */
export async function assertSame(comparison: Comparison, seed: number, wanted: readonly string[]): Promise<void> {
  const { kinds, differences } = await compared(comparison);
  const { length } = comparison.asked;
  process.stdout.write(
    `    ${length} requests: ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}; ${differences.length} differ\n`,
  );
  assert.deepEqual(
    differences.slice(0, 3),
    [],
    `${differences.length} differences; seed ${seed}\n${differences.slice(0, 3).join('\n')}`,
  );
  for (const kind of wanted) assert.ok((kinds.get(kind) ?? 0) > length / 100, `${kind}: all kinds of answers must be tried`);
}
