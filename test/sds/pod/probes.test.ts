import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { parseLabels, podConfig } from '../../../sds/pod/environment.ts';
import { parseScrapes } from '../../../sds/pod/metrics.ts';
import { parseProbers } from '../../../sds/pod/probers.ts';
import { type PodServer, servePod } from '../../../sds/pod/server.ts';
import { parseConfig } from '../../../sds/agent/parse-config.ts';
import { TestAuthority } from '../../audit/envoy/certificates.ts';

function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : assert.fail('not listening');
}

function ask(
  port: number,
  path: string,
  method = 'GET',
  host = '127.0.0.1',
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port, path, method, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('error', reject);
    call.end();
  });
}

/** gRPC's health service, whose services are as the map says. */
async function healthServer(services: Readonly<Record<string, number>>): Promise<{ readonly port: number; close(): void }> {
  const server = new GrpcServer();
  const name = (message: Buffer) => ({ service: message.length === 0 ? '' : message.subarray(2).toString() });
  const definition = {
    Check: {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: (text: string) => Buffer.from(text),
      requestDeserialize: name,
      responseSerialize: (status: number) => Buffer.from([0x08, status]),
      responseDeserialize: (message: Buffer) => message[1] ?? 0,
      originalName: 'check',
    },
  };
  server.addService(definition, {
    Check: (call: { readonly request: { readonly service: string } }, back: (error: Error | null, status?: number) => void) => {
      const status = services[call.request.service];
      if (status === undefined) back(Object.assign(new Error('unknown'), { code: 5 }));
      else back(null, status);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

describe('the agent of an injected pod answers the kubelet', () => {
  let folder: string;
  let plain: Server;
  let admin: Server;
  let agent: PodServer;
  const seen: { readonly from: string | undefined; readonly headers: IncomingMessage['headers'] }[] = [];
  const asked: string[] = [];
  const closing: { close(): void }[] = [];
  let ready = false;
  let quits = 0;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gh-pod-'));
    plain = createServer((call, response) => {
      seen.push({ from: call.socket.remoteAddress, headers: call.headers });
      const [, status = '200'] = /^\/(\d+)/.exec(call.url ?? '') ?? [];
      if (call.url === '/slow') return;
      if (call.url === '/metrics') response.end('app_requests 7\n');
      else response.writeHead(Number(status), { location: 'http://192.0.2.1/' }).end('fine');
    }).listen(0, '127.0.0.1');
    const secure = createSecure(await (await TestAuthority.create()).issueForHost('elsewhere.test'), (_call, response) =>
      response.end(),
    ).listen(0, '127.0.0.1');
    const tcp = createTcp((socket) => socket.end()).listen(0, '127.0.0.1');
    admin = createServer((call, response) => {
      asked.push(`${call.method ?? ''} ${call.url ?? ''}`);
      if (call.url === '/ready') response.writeHead(ready ? 200 : 503).end(ready ? 'LIVE\n' : 'INITIALIZING\n');
      else response.end('envoy_requests 3\n');
    }).listen(join(folder, 'admin.sock'));
    for (const server of [plain, secure, tcp, admin]) if (!server.listening) await once(server, 'listening');
    const grpc = await healthServer({ '': 1, shop: 1, sick: 2 });
    closing.push(plain, secure, tcp, admin, grpc);
    const free = portOf(tcp) === 1 ? 2 : 1;
    const probers = parseProbers(
      JSON.stringify({
        '/app-health/cart/livez': {
          httpGet: {
            path: '/200',
            port: portOf(plain),
            httpHeaders: [
              { name: 'Host', value: 'cart.test' },
              { name: 'X-Why', value: 'probe' },
            ],
          },
        },
        '/app-health/cart/readyz': { httpGet: { path: '/503', port: portOf(plain) } },
        '/app-health/cart/startupz': { httpGet: { path: '/302', port: portOf(plain) } },
        '/app-health/slow/livez': { httpGet: { path: '/slow', port: portOf(plain) }, timeoutSeconds: 1 },
        '/app-health/tls/livez': { httpGet: { port: portOf(secure), scheme: 'HTTPS' } },
        '/app-health/tcp/livez': { tcpSocket: { port: portOf(tcp) } },
        '/app-health/tcp/readyz': { tcpSocket: { port: free } },
        '/app-health/grpc/livez': { grpc: { port: grpc.port } },
        '/app-health/grpc/readyz': { grpc: { port: grpc.port, service: 'shop' } },
        '/app-health/grpc/startupz': { grpc: { port: grpc.port, service: 'sick' } },
        '/app-health/none/livez': { grpc: { port: grpc.port, service: 'unknown' } },
        '/app-lifecycle/cart/prestopz': { httpGet: { path: '/204', port: portOf(plain) } },
      }),
    );
    agent = await servePod({
      statusPort: 0,
      readyPort: undefined,
      metricsPort: undefined,
      adminSocket: join(folder, 'admin.sock'),
      probers: probers.ok ? probers.value : assert.fail(probers.reason),
      target: { host: '127.0.0.1', from: '127.0.0.6' },
      scrapes: JSON.stringify({ scrape: 'true', port: String(portOf(plain)), path: '/metrics' }),
      ownMetrics: () => Promise.resolve('agent_certificates 1\n'),
      onQuit: () => {
        quits += 1;
      },
      log: pino({ level: 'silent' }),
    });
  });
  after(async () => {
    await agent.close();
    for (const server of closing) server.close();
    rmSync(folder, { recursive: true });
  });

  for (const [what, path, status] of [
    ['HTTP that is well', '/app-health/cart/livez', 200],
    ['HTTP that is not', '/app-health/cart/readyz', 503],
    ['a redirect, which is not followed', '/app-health/cart/startupz', 302],
    ['HTTP that never answers, after its own time', '/app-health/slow/livez', 504],
    ['HTTPS under any certificate', '/app-health/tls/livez', 200],
    ['TCP that is open', '/app-health/tcp/livez', 200],
    ['TCP that is closed', '/app-health/tcp/readyz', 500],
    ['gRPC', '/app-health/grpc/livez', 200],
    ['gRPC, one service', '/app-health/grpc/readyz', 200],
    ['gRPC that does not serve', '/app-health/grpc/startupz', 500],
    ['gRPC that knows no such service', '/app-health/none/livez', 500],
    ['a hook', '/app-lifecycle/cart/prestopz', 204],
    ['a probe that nobody has', '/app-health/else/livez', 404],
  ] as const)
    it(what, async () => assert.equal((await ask(agent.port, path)).status, status));

  it("asks from the address that capture exempts, with the probe's own headers", async () => {
    seen.length = 0;
    await ask(agent.port, '/app-health/cart/livez');
    const [call] = seen;
    assert.equal(call?.from, '127.0.0.6');
    assert.equal(call?.headers.host, 'cart.test');
    assert.equal(call?.headers['x-why'], 'probe');
  });

  it('is ready when Envoy is', async () => {
    assert.equal((await ask(agent.port, '/healthz/ready')).status, 503);
    ready = true;
    assert.equal((await ask(agent.port, '/healthz/ready')).status, 200);
  });

  it("gives out Envoy's, its own and the application's metrics together", async () => {
    assert.equal((await ask(agent.port, '/stats/prometheus')).body, 'envoy_requests 3\nagent_certificates 1\napp_requests 7\n');
  });

  it('drains and ends for processes of the pod only', async () => {
    assert.equal((await ask(agent.port, '/drain', 'POST')).status, 200);
    assert.equal(asked.at(-1), 'POST /drain_listeners?inboundonly&graceful&skip_exit');
    assert.equal((await ask(agent.port, '/quitquitquit', 'POST')).status, 200);
    assert.equal(quits, 1);
    assert.equal((await ask(agent.port, '/quitquitquit')).status, 404, 'GET ends nothing');
    assert.equal(quits, 1);
  });

  it('probes that cannot be meant are refused as a whole', () => {
    for (const text of [
      '[]',
      '{',
      '{"/etc/passwd": {"httpGet": {"port": 80}}}',
      '{"/app-health/a/livez": {"httpGet": {"port": "http"}}}',
      '{"/app-health/a/livez": {"exec": {}}}',
    ])
      assert.equal(parseProbers(text).ok, false, text);
    assert.deepEqual(parseProbers(undefined), { ok: true, value: new Map() });
  });

  it('what is scraped', () => {
    assert.deepEqual(parseScrapes('{"scrape":"true","path":"","port":""}', 15_020), [{ port: 80, path: '/metrics' }]);
    assert.deepEqual(parseScrapes('{"scrape":"false","port":"80"}', 15_020), []);
    assert.deepEqual(parseScrapes('{"port":"15020"}', 15_020), [], 'itself never');
    assert.deepEqual(parseScrapes('{"targets":[{"port":"1","path":"/a"},{"port":"2","path":"/b"}]}', 15_020), [
      { port: 1, path: '/a' },
      { port: 2, path: '/b' },
    ]);
    assert.deepEqual(parseScrapes('no json', 15_020), []);
  });
});

describe('the configuration of an injected pod', () => {
  const environment = {
    POD_NAME: 'cart-7d9f-x2',
    POD_NAMESPACE: 'shop',
    INSTANCE_IP: '10.0.0.5',
    CA_ADDR: 'gatehouse.gatehouse-system.svc:15012',
    SERVICE_ACCOUNT: 'cart',
    TRUST_DOMAIN: 'prod.example',
    ISTIO_META_WORKLOAD_NAME: 'cart',
    ISTIO_CPU_LIMIT: '2',
    PROXY_CONFIG: '{"terminationDrainDuration":"9s"}\n',
  };
  const options = {
    kind: 'sidecar',
    domain: 'cluster.local',
    proxyLogLevel: 'warning',
    proxyComponentLogLevel: 'misc:error',
  } as const;
  const files = { labels: 'app="cart"\nversion="v\\"1"\n', bootstrapOverride: undefined };

  it('is one that the agent takes', () => {
    const made = podConfig(environment, options, files);
    assert.ok(made.ok);
    const config = parseConfig(JSON.stringify(made.value), '/etc/istio/proxy/agent/agent.json', 'envoy', ['envoy']);
    assert.ok(config.ok, JSON.stringify(config));
    const [workload] = config.config.workloads;
    assert.equal(workload?.id, 'spiffe://prod.example/ns/shop/sa/cart');
    assert.equal(workload?.node.workload, 'cart');
    assert.deepEqual(workload?.node.labels, { app: 'cart', version: 'v"1' });
    assert.equal(workload?.envoy?.concurrency, 2);
    assert.equal(workload?.envoy?.drainMs, 9000);
    assert.deepEqual(workload?.envoy?.extraArgs, ['--log-level', 'warning', '--component-log-level', 'misc:error']);
    assert.deepEqual(workload?.controlPlane, {
      host: 'gatehouse.gatehouse-system.svc',
      port: 15_012,
      serverName: 'gatehouse.gatehouse-system.svc',
    });
  });

  it('threads: the flag, else the ProxyConfig, else the limit', () => {
    const threads = (given: object, concurrency?: number): unknown => {
      const made = podConfig({ ...environment, ...given }, { ...options, concurrency }, files);
      return made.ok ? /"concurrency":(\d+)/.exec(JSON.stringify(made.value))?.[1] : made.reason;
    };
    assert.equal(threads({ PROXY_CONFIG: '{"concurrency":3}' }, 4), '4');
    assert.equal(threads({ PROXY_CONFIG: '{"concurrency":3}' }), '3');
    assert.equal(threads({}), '2');
    assert.equal(threads({ ISTIO_CPU_LIMIT: undefined }), '0');
  });

  it('a pod of the longest names has sockets that fit', () => {
    const made = podConfig({ ...environment, POD_NAME: 'p'.repeat(250), POD_NAMESPACE: 'n'.repeat(63) }, options, files);
    assert.ok(made.ok);
    assert.ok(parseConfig(JSON.stringify(made.value), '/etc/istio/proxy/agent/agent.json').ok);
  });

  it('tells what the environment lacks', () => {
    const made = podConfig({ ...environment, CA_ADDR: '', POD_NAME: undefined }, options, files);
    assert.match(made.ok ? '' : made.reason, /no POD_NAME, CA_ADDR/);
    const broken = podConfig({ ...environment, PROXY_CONFIG: '[' }, options, files);
    assert.match(broken.ok ? '' : broken.reason, /PROXY_CONFIG/);
  });

  it('labels that are no labels are left out', () => {
    assert.deepEqual(parseLabels('a="1"\nb=2\n="3"\nc="\\u00e9"\n'), { a: '1', c: 'é' });
  });
});
