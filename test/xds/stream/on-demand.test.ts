import assert from 'node:assert/strict';
import { Agent, createServer, request } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import { OnDemandSchema } from '#gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.js';
import { RouterSchema } from '#gen/envoy/extensions/filters/http/router/v3/router_pb.js';
import { HttpConnectionManagerSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { adsSource } from '../../../routing/wire/config-source.ts';
import { duration } from '../../../routing/wire/duration.ts';
import {
  CLUSTER,
  encodeResource,
  ENDPOINTS,
  LISTENER,
  type ResourceSet,
  resourceSet,
  ROUTES,
} from '../../../xds/resource-set.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { eventually } from '../../eventually.ts';
import { listening } from '../../routing/envoy/listening.ts';
import { meshSet } from './envoy-resources.ts';
import { type Envoy, startEnvoy } from './envoy.ts';
import { publishTo } from './publish.ts';
import { type Running, startServer } from './server.ts';
import { surviveResets } from '../../survive-resets.ts';

const SERVICES = 12;
const TIMEOUT_MS = 1_000;
const socket = {
  case: 'socketAddress',
  value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: 0 } },
} as const;

const http = () =>
  create(ListenerSchema, {
    name: 'http',
    address: { address: socket },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            configType: {
              case: 'typedConfig',
              value: anyPack(
                HttpConnectionManagerSchema,
                create(HttpConnectionManagerSchema, {
                  statPrefix: 'http',
                  routeSpecifier: { case: 'rds', value: { routeConfigName: 'routes', configSource: adsSource() } },
                  httpFilters: [
                    {
                      name: 'envoy.filters.http.on_demand',
                      configType: {
                        case: 'typedConfig',
                        value: anyPack(
                          OnDemandSchema,
                          create(OnDemandSchema, { odcds: { source: adsSource(), timeout: duration(TIMEOUT_MS) } }),
                        ),
                      },
                    },
                    {
                      name: 'envoy.filters.http.router',
                      configType: { case: 'typedConfig', value: anyPack(RouterSchema, create(RouterSchema)) },
                    },
                  ],
                }),
              ),
            },
          },
        ],
      },
    ],
  });

const tcp = (cluster: string) =>
  create(ListenerSchema, {
    name: `tcp-${cluster}`,
    address: { address: socket },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.tcp_proxy',
            configType: {
              case: 'typedConfig',
              value: anyPack(
                TcpProxySchema,
                create(TcpProxySchema, {
                  statPrefix: 'tcp',
                  clusterSpecifier: { case: 'cluster', value: cluster },
                  onDemand: { odcdsConfig: adsSource(), timeout: duration(TIMEOUT_MS) },
                }),
              ),
            },
          },
        ],
      },
    ],
  });

const names = Array.from({ length: SERVICES }, (_, at) => `svc-${at}`);

/** All routes and listeners; clusters and endpoints of some. */
function partly(clusters: Readonly<Record<string, number>>): ResourceSet {
  const some = meshSet({ clusters, listeners: {} });
  const to = (cluster: string) =>
    ({
      match: { pathSpecifier: { case: 'prefix', value: '/' } },
      action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster } } },
    }) as const;
  const routes = create(RouteConfigurationSchema, {
    name: 'routes',
    validateClusters: false,
    virtualHosts: [...names, 'nobody'].map((name) => ({ name, domains: [name], routes: [to(name)] })),
  });
  return resourceSet({
    [CLUSTER]: some.get(CLUSTER) ?? [],
    [ENDPOINTS]: some.get(ENDPOINTS) ?? [],
    [LISTENER]: [http(), tcp('db'), tcp('nobody')].map((one) => encodeResource(ListenerSchema, one)),
    [ROUTES]: [encodeResource(RouteConfigurationSchema, routes)],
  });
}

function ask(agent: Agent, port: number, host: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { agent, port, host: '127.0.0.1', headers: { host }, method: body === undefined ? 'GET' : 'POST' },
      (response) => {
        let text = '';
        response.on('data', (part: Buffer) => (text += part.toString()));
        response.on('end', () => resolve(`${response.statusCode} ${text}`));
      },
    ).on('error', reject);
    sent.end(body);
  });
}

// What Envoy 1.40 does; decision 16 rests on it.
describe('clusters on demand over the delta stream, in a real Envoy with two workers', function () {
  this.timeout(60_000);
  let running: Running;
  let envoy: Envoy;
  let held: Record<string, number> = {};
  let all: Record<string, number> = {};
  const asked: string[] = [];
  const heldThen: string[] = [];
  const closing: { close(): Promise<void> }[] = [];
  const agent = new Agent({ keepAlive: true });

  before(async function () {
    const path = envoyOrSkip(this);
    const echo = await listening(
      createServer((message, response) => {
        let body = '';
        message.on('data', (part: Buffer) => (body += part.toString()));
        message.on('end', () => response.end(`${message.method} ${message.headers.host} ${body.length}`));
      }),
    );
    const bytes = surviveResets(createTcpServer((connection) => connection.pipe(connection)));
    await new Promise<void>((resolve) => bytes.listen(0, '127.0.0.1', resolve));
    const place = bytes.address();
    assert.ok(place !== null && typeof place === 'object');
    closing.push(echo, { close: () => new Promise((resolve) => bytes.close(() => resolve())) });
    all = { ...Object.fromEntries(names.map((name) => [name, echo.port])), db: place.port };
    held = { 'svc-0': echo.port };
    running = await startServer();
    running.source.onWanted = (wanted, brought) => {
      asked.push(...wanted);
      heldThen.push(...(brought ?? []));
      const grown = wanted.filter((name) => all[name] !== undefined && held[name] === undefined);
      if (grown.length === 0) return false;
      held = { ...held, ...Object.fromEntries(grown.map((name) => [name, all[name] ?? 0])) };
      running.source.publish(partly(held));
      return true;
    };
    envoy = await startEnvoy(path, running.address, 'delta', 2);
    await publishTo(running, partly(held));
  });
  after(async () => {
    agent.destroy();
    await envoy?.stop();
    running?.stop();
    await Promise.all(closing.map((one) => one.close()));
  });

  it('answers the first request to a cluster that it does not have, and the next without asking', async () => {
    const port = await envoy.port('http');
    assert.equal(await ask(agent, port, 'svc-0'), '200 GET svc-0 0');
    assert.deepEqual(asked, []);
    const begin = performance.now();
    assert.equal(await ask(agent, port, 'svc-1'), '200 GET svc-1 0');
    const first = performance.now() - begin;
    assert.deepEqual(asked, ['svc-1']);
    assert.equal(await ask(agent, port, 'svc-1'), '200 GET svc-1 0');
    assert.deepEqual(asked, ['svc-1']);
    assert.ok(first < TIMEOUT_MS, `${first} ms`);
  });

  it('does so for requests with a body, small and large', async () => {
    const port = await envoy.port('http');
    assert.equal(await ask(agent, port, 'svc-2', 'x'), '200 POST svc-2 1');
    assert.equal(await ask(agent, port, 'svc-3', 'x'.repeat(500_000)), '200 POST svc-3 500000');
  });

  it('does so for many at once', async () => {
    const port = await envoy.port('http');
    const wide = new Agent();
    const answers = await Promise.all(
      [4, 5, 6, 4, 5, 6, 4, 5, 6, 7].map((at) => ask(wide, port, `svc-${at}`).then((text) => `${at} ${text}`)),
    );
    assert.deepEqual(
      answers.filter((text) => !/^(\d) 200 GET svc-\1 0$/.test(text)),
      [],
    );
  });

  it('answers 503 at once where there is none', async () => {
    const port = await envoy.port('http');
    const begin = performance.now();
    assert.match(await ask(agent, port, 'nobody'), /^503 /);
    assert.ok(performance.now() - begin < TIMEOUT_MS);
  });

  it('is told of all others as before, new ones and changed ones', async () => {
    const port = await envoy.port('http');
    held = { ...held, 'svc-9': all['svc-9'] ?? 0, 'svc-1': all['db'] ?? 0 };
    await publishTo(running, partly(held));
    asked.length = 0;
    assert.equal(await ask(agent, port, 'svc-9'), '200 GET svc-9 0');
    assert.deepEqual(asked, []);
    const endpoints = await envoy.admin('/clusters');
    assert.match(endpoints, new RegExp(`svc-1::127\\.0\\.0\\.1:${all['db']}::`));
    const { 'svc-9': _, ...rest } = held;
    held = { ...rest, 'svc-1': all['svc-1'] ?? 0 };
    await publishTo(running, partly(held));
    await eventually('a cluster that is gone is taken away', async () =>
      (await envoy.admin('/clusters')).includes('svc-9::') ? undefined : true,
    );
  });

  it('lets a connection wait for its cluster', async () => {
    const port = await envoy.port('tcp-db');
    const echoed = await new Promise<string>((resolve, reject) => {
      const connection = connect(port, '127.0.0.1', () => connection.write('hello'));
      connection.on('data', (part: Buffer) => {
        resolve(part.toString());
        connection.destroy();
      });
      connection.on('close', () => reject(new Error('closed')));
      connection.on('error', reject);
    });
    assert.equal(echoed, 'hello');
    assert.equal(asked.at(-1), 'db');
  });

  it('closes a connection whose cluster is nowhere', async () => {
    const port = await envoy.port('tcp-nobody');
    await new Promise<void>((resolve, reject) => {
      const connection = connect(port, '127.0.0.1', () => connection.write('hello'));
      connection.on('data', () => reject(new Error('answered')));
      connection.on('close', () => resolve());
      connection.on('error', () => resolve());
    });
  });

  it('does not ask twice: what was asked for by name has to be kept, or given again without being asked', async () => {
    const port = await envoy.port('http');
    const before = held;
    const { 'svc-1': _, ...rest } = held;
    held = rest;
    await publishTo(running, partly(held));
    asked.length = 0;
    const begin = performance.now();
    assert.match(await ask(agent, port, 'svc-1'), /^503 /);
    assert.ok(performance.now() - begin > TIMEOUT_MS / 2, 'it waited');
    assert.deepEqual(asked, []);
    held = before;
    await publishTo(running, partly(held));
    assert.equal(await ask(agent, port, 'svc-1'), '200 GET svc-1 0');
  });

  it('names what it holds when it comes back', async () => {
    const port = await envoy.port('http');
    const since = running.only()?.connectedAt.getTime() ?? 0;
    const before = Object.keys(held).sort();
    heldThen.length = 0;
    running.disconnect();
    await eventually('Envoy is back', () => {
      const now = running.only();
      return now !== undefined && now.connectedAt.getTime() > since && now.acknowledged > 0 ? true : undefined;
    });
    assert.deepEqual([...new Set(heldThen)].sort(), before);
    assert.equal(await ask(agent, port, 'svc-8'), '200 GET svc-8 0');
  });
});
