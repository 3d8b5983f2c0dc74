// Limits of the connections from a server's proxy to its application, counted at the application behind the real Envoy.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, type Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envoy, envoyOrSkip } from '../audit/envoy/process.ts';
import { eventually } from '../eventually.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { call } from './envoy/call.ts';
import { listening } from './envoy/listening.ts';
import { startStaticProxy } from './envoy/static-proxy.ts';
import { freePort } from './envoy/upstream.ts';
import { explicitPod } from './workloads.ts';

const POD = '127.21.78.2';
const APP = '127.22.78.2';

/** Answers after some time, and knows how many connections and requests came, and how many requests at once. */
class Application {
  connections = 0;
  requests = 0;
  now = 0;
  most = 0;
  readonly server: Server = createServer((request, response) => {
    this.#begin();
    setTimeout(
      () => {
        this.now -= 1;
        response.end('{}');
      },
      Number(request.headers['x-delay-ms'] ?? 0),
    );
  }).on('connection', () => (this.connections += 1));

  #begin(): void {
    this.requests += 1;
    this.now += 1;
    this.most = Math.max(this.most, this.now);
  }
}

const PORTS = ['limited', 'open', 'tcp', 'grpc'] as const;
type Ports = Readonly<Record<(typeof PORTS)[number], number>>;

const world = (ports: Ports): string => `
apiVersion: v1
kind: Service
metadata: {name: server, namespace: default}
spec:
  selector: {app: server}
  ports:
  - {name: http-limited, port: 81, targetPort: ${ports.limited}}
  - {name: http-open, port: 82, targetPort: ${ports.open}}
  - {name: tcp, port: 83, targetPort: ${ports.tcp}}
  - {name: grpc, port: 84, targetPort: ${ports.grpc}}
---${explicitPod('server', 'default', POD, APP)}
`;

const destinationRule = (policy: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: server, namespace: default}
spec: {host: server, trafficPolicy: {${policy}}}
`;

const sidecar = (spec: string): string => `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: server, namespace: default}
spec: {workloadSelector: {labels: {app: server}}, ${spec}}
`;

const ONE = '{tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}';
const ONE_EACH = '{http: {maxRequestsPerConnection: 1}}';

describe('inbound connection pools in the real Envoy', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  const limited = new Application();
  const open = new Application();
  let tcpNow = 0;
  const tcp = createTcpServer((socket) => {
    tcpNow += 1;
    socket.on('close', () => (tcpNow -= 1));
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  let streams = 0;
  const grpc = createHttp2Server();
  grpc.on('stream', (stream) => {
    streams += 1;
    setTimeout(() => {
      if (stream.destroyed) return;
      stream.respond({ ':status': 200 });
      stream.end();
    }, 400);
  });
  const closing: { close(): Promise<void> }[] = [];
  let ports: Ports = { limited: 0, open: 0, tcp: 0, grpc: 0 };
  let envoy = '';
  let proxy: Envoy | undefined;

  before(async function () {
    envoy = envoyOrSkip(this);
    ports = { limited: await freePort(), open: await freePort(), tcp: await freePort(), grpc: await freePort() };
    closing.push(await listening(limited.server, APP, ports.limited));
    closing.push(await listening(open.server, APP, ports.open));
    closing.push(await listening(tcp, APP, ports.tcp));
    closing.push(await listening(grpc, APP, ports.grpc));
  });
  beforeEach(() => {
    for (const one of [limited, open]) Object.assign(one, { connections: 0, requests: 0, most: 0 });
    streams = 0;
  });
  afterEach(async () => {
    await proxy?.stop();
    proxy = undefined;
  });
  after(async () => {
    for (const one of closing) await one.close();
    rmSync(folder, { recursive: true });
  });

  const serve = async (rules: (at: Ports) => string): Promise<void> => {
    const compiled = compiledFor(snapshotOf(world(ports) + rules(ports)), 'default/server');
    proxy = await startStaticProxy({ envoy, compiled, folder: mkdtempSync(join(folder, 'proxy-')), account: 'default/default' });
  };
  /** Statuses of requests that are all under way at once. */
  const atOnce = async (port: number, count: number, delayMs: number): Promise<readonly number[]> => {
    const headers = { 'x-delay-ms': String(delayMs) };
    const answers = Array.from({ length: count }, () => call(undefined, POD, port, 'server', '/', { headers }));
    return (await Promise.all(answers)).map(({ status }) => status).sort();
  };
  const oneByOne = async (port: number, count: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let at = 0; at < count; at += 1) assert.equal((await call(agent, POD, port, 'server', '/')).status, 200);
    agent.destroy();
  };

  /** One request is served and one waits; the others are refused. (While the connection is made the first one counts as waiting.) */
  const holdsToOne = async (port: number, application: Application): Promise<void> => {
    const first = atOnce(port, 1, 1_500);
    await eventually('the first request', () => Promise.resolve(application.now === 1 ? true : undefined));
    assert.deepEqual(await atOnce(port, 5, 50), [200, 503, 503, 503, 503]);
    assert.deepEqual(await first, [200]);
    assert.deepEqual([application.most, application.requests], [1, 2]);
  };
  const holdsToNothing = async (port: number, application: Application): Promise<void> => {
    assert.deepEqual(await atOnce(port, 6, 400), [200, 200, 200, 200, 200, 200]);
    assert.equal(application.most, 6);
  };

  it('no limits where nothing is said', async () => {
    await serve(() => '');
    await holdsToNothing(ports.limited, limited);
    await oneByOne(ports.open, 5);
    assert.equal(open.connections, 1, 'the connection to the application is kept');
  });

  it("the DestinationRule's, by the Service's port", async () => {
    await serve(() =>
      destinationRule(
        `portLevelSettings: [{port: {number: 81}, connectionPool: ${ONE}}, {port: {number: 82}, connectionPool: ${ONE_EACH}}]`,
      ),
    );
    await holdsToOne(ports.limited, limited);
    await oneByOne(ports.open, 5);
    assert.equal(open.connections, 5);
  });

  it("the Sidecar's goes before the DestinationRule's", async () => {
    await serve(() => destinationRule(`connectionPool: ${ONE}`) + sidecar(`inboundConnectionPool: ${ONE_EACH}`));
    await oneByOne(ports.limited, 4);
    assert.equal(limited.connections, 4);
    await holdsToNothing(ports.open, open);
  });

  it("a Sidecar's listener's goes before both", async () => {
    await serve(
      (at) =>
        destinationRule(`connectionPool: ${ONE_EACH}`) +
        sidecar(
          `inboundConnectionPool: ${ONE_EACH}, ingress: [
    {port: {number: ${at.limited}, protocol: HTTP, name: http}, defaultEndpoint: "0.0.0.0:${at.limited}", connectionPool: ${ONE}},
    {port: {number: ${at.open}, protocol: HTTP, name: http-open}, defaultEndpoint: "0.0.0.0:${at.open}"}]`,
        ),
    );
    await holdsToOne(ports.limited, limited);
    await oneByOne(ports.open, 4);
    assert.equal(open.connections, 4);
  });

  it('TCP: a connection too many waits until another is over', async () => {
    await serve(() => destinationRule('connectionPool: {tcp: {maxConnections: 1}}'));
    const first = connect(ports.tcp, POD);
    first.write('one');
    await once(first, 'data');
    const second = connect(ports.tcp, POD);
    let answered = false;
    second.once('data', () => (answered = true));
    second.write('two');
    await once(second, 'connect');
    assert.equal(await call(undefined, POD, ports.open, 'server', '/').then(({ status }) => status), 200);
    assert.deepEqual([answered, tcpNow], [false, 1]);
    first.destroy();
    await eventually('the second', () => Promise.resolve(answered ? true : undefined));
    assert.equal(tcpNow, 1);
    second.destroy();
  });

  it('HTTP/2: requests at once', async () => {
    await serve(() => destinationRule('connectionPool: {http: {http2MaxRequests: 2}}'));
    const session = connectHttp2(`http://${POD}:${ports.grpc}`);
    const ask = async (): Promise<number> => {
      const stream = session.request({ ':path': '/', ':authority': 'server' });
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      stream.close();
      return Number(headers[':status']);
    };
    const statuses = await Promise.all(Array.from({ length: 5 }, ask));
    session.close();
    assert.deepEqual([statuses.sort(), streams], [[200, 200, 503, 503, 503], 2]);
  });

  it('a connection that nothing is sent over is let go', async () => {
    await serve(() => destinationRule('connectionPool: {http: {idleTimeout: 1s}}'));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    await call(agent, POD, ports.limited, 'server', '/');
    const count = (): Promise<number> =>
      new Promise((resolve) => limited.server.getConnections((_error, found) => resolve(found)));
    assert.equal(await count(), 1);
    await eventually('no connection to the application', async () => ((await count()) === 0 ? true : undefined));
    agent.destroy();
  });
});
