import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { connect as connectTcp, createServer as createTcpServer, type Server } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { Client, credentials, Metadata, Server as GrpcServer, ServerCredentials, status, type ServiceError } from '@grpc/grpc-js';
import { type Issued, TestAuthority } from '../audit/envoy/certificates.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { eventually } from '../eventually.ts';
import { type Answer, call, type Call } from './envoy/call.ts';
import { backend, configMap, document, EDGE, startEdge } from './envoy/gateway-api-edge.ts';
import { httpsStatus } from './envoy/https-status.ts';
import { freePort, startUpstream, type Upstream } from './envoy/upstream.ts';
import { surviveResets } from '../survive-resets.ts';

const ADDRESS = (n: number) => `127.29.78.${n}`;
const raw = (value: Buffer): Buffer => value;

/** One unary method with bytes for messages. */
const method = (path: string) => ({
  path,
  requestStream: false as const,
  responseStream: false as const,
  requestSerialize: raw,
  requestDeserialize: raw,
  responseSerialize: raw,
  responseDeserialize: raw,
});

async function startGrpc(name: string, address: string, port: number): Promise<GrpcServer> {
  const server = new GrpcServer();
  const answer = (_call: unknown, done: (error: null, value: Buffer) => void) => {
    done(null, Buffer.from(name));
  };
  server.addService({ Hello: method('/greet.Greeter/Hello'), Bye: method('/greet.Greeter/Bye') }, { Hello: answer, Bye: answer });
  await new Promise<void>((done, fail) => {
    server.bindAsync(`${address}:${port}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) done();
      else fail(error);
    });
  });
  return server;
}

describe('Gateway API in the real Envoy', () => {
  const servers: Server[] = [];
  const grpcServers: GrpcServer[] = [];
  const upstreams = new Map<string, Upstream>();
  let edge: { close(): Promise<void> } | undefined;
  let authority: TestAuthority;
  let client: Issued;
  let stranger: Issued;
  const ports = { http: 0, tcp: 0, closed: 0, passed: 0, ended: 0, valid: 0, fallback: 0, open: 0, grpc: 0 };

  const listen = async (server: Server, address: string, port: number) => {
    servers.push(surviveResets(server));
    server.listen(port, address);
    await once(server, 'listening');
  };

  before(async function () {
    this.timeout(60_000);
    const envoy = envoyOrSkip(this);
    authority = await TestAuthority.create();
    const foreign = await TestAuthority.create();
    client = await authority.issueForHost('client.test');
    stranger = await foreign.issueForHost('client.test');
    for (const name of ['http', 'tcp', 'closed', 'passed', 'ended', 'valid', 'fallback', 'open', 'grpc'] as const)
      ports[name] = await freePort();
    const port = await freePort();
    for (const [at, name] of ['v1', 'v2', 'copy'].entries())
      upstreams.set(name, await startUpstream(name, ADDRESS(at + 1), port, 1_000));
    for (const [at, name] of ['one', 'two'].entries())
      await listen(
        createTcpServer((socket) => socket.end(name)),
        ADDRESS(at + 11),
        port,
      );
    const through = await authority.issueForHost('through.test');
    await listen(
      createTlsServer(through, (socket) => socket.end('the application ends this')),
      ADDRESS(13),
      port,
    );
    const own = await authority.issueForHost('secure.test');
    await listen(
      createHttpsServer(own, (request, response) => {
        response.end(JSON.stringify({ server: 'secure', path: request.url, headers: request.headers }));
      }),
      ADDRESS(14),
      port,
    );
    await listen(
      createHttpsServer({ ...own, ca: authority.root, requestCert: true, rejectUnauthorized: true }, (_request, response) => {
        response.end(JSON.stringify({ server: 'asking', path: '', headers: {} }));
      }),
      ADDRESS(15),
      port,
    );
    for (const [at, name] of ['grpc-one', 'grpc-two'].entries()) grpcServers.push(await startGrpc(name, ADDRESS(at + 21), port));

    const certificate = 'tls: {certificateRefs: [{name: cert, namespace: keys}]}';
    const all = 'allowedRoutes: {namespaces: {from: All}}';
    const gateway = document(
      'Gateway',
      'edge',
      'edge',
      `
  gatewayClassName: gatehouse
  tls:
    backend: {clientCertificateRef: {name: cert, namespace: keys}}
    frontend:
      default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}
      perPort:
      - port: ${ports.fallback}
        tls: {validation: {mode: AllowInsecureFallback, caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}
      - {port: ${ports.open}, tls: {}}
  listeners:
  - {name: http, port: ${ports.http}, protocol: HTTP, ${all}}
  - {name: grpc, port: ${ports.grpc}, protocol: HTTP}
  - {name: tcp, port: ${ports.tcp}, protocol: TCP}
  - {name: closed, port: ${ports.closed}, protocol: TCP}
  - {name: passed, port: ${ports.passed}, protocol: TLS, hostname: "*.test", tls: {mode: Passthrough}}
  - {name: ended, port: ${ports.ended}, protocol: TLS, tls: {mode: Terminate, certificateRefs: [{name: cert, namespace: keys}]}}
  - {name: valid, port: ${ports.valid}, protocol: HTTPS, ${certificate}}
  - {name: fallback, port: ${ports.fallback}, protocol: HTTPS, ${certificate}}
  - {name: open, port: ${ports.open}, protocol: HTTPS, ${certificate}}
`,
    );
    const route = (kind: string, name: string, section: string, rest: string, version?: string) =>
      document(kind, 'edge', name, `{parentRefs: [{name: edge, sectionName: ${section}}], ${rest}}`, version);
    const http = (name: string, rule: string) => route('HTTPRoute', name, 'http', `hostnames: [${name}.test], rules: [${rule}]`);
    const to = (...names: readonly string[]) => `backendRefs: [${names.map((name) => `{name: ${name}, port: 80}`).join(', ')}]`;
    const mirror = (part: string) => `{type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}, ${part}}}`;
    const policy = (name: string, host: string, ca: string) =>
      document(
        'BackendTLSPolicy',
        'edge',
        name,
        `{targetRefs: [{group: "", kind: Service, name: ${name}}], validation: {hostname: ${host}, ${ca}}}`,
      );
    const by = (name: string) => `caCertificateRefs: [{group: "", kind: ConfigMap, name: ${name}}]`;
    const secured = ['good', 'wrong-ca', 'wrong-host', 'no-ca', 'named'];
    const asking = backend('edge', 'asking', ADDRESS(15), port);
    const rules = [
      gateway,
      backend('edge', 'v1', ADDRESS(1), port),
      backend('shop', 'v2', ADDRESS(2), port),
      backend('edge', 'copy', ADDRESS(3), port),
      backend('edge', 'one', ADDRESS(11), port, 'tcp'),
      backend('edge', 'two', ADDRESS(12), port, 'tcp'),
      backend('edge', 'through', ADDRESS(13), port, 'tls'),
      backend('edge', 'grpc-one', ADDRESS(21), port, 'grpc'),
      backend('edge', 'grpc-two', ADDRESS(22), port, 'grpc'),
      ...secured.map((name) => backend('edge', name, ADDRESS(14), port)),
      asking,
      http('asking', `{${to('asking')}}`),
      policy('asking', 'secure.test', by('ca')),
      configMap('edge', 'ca', authority.root),
      configMap('edge', 'foreign', foreign.root),
      http(
        'cors',
        `{filters: [{type: CORS, cors: {allowOrigins: ["https://*.good.test"], allowMethods: [GET, PUT], allowHeaders: [x-a], maxAge: 60}}], ${to('v1')}}`,
      ),
      http('retry', `{retry: {codes: [503], attempts: 2, backoff: 10ms}, ${to('v1')}}`),
      http('timeout', `{timeouts: {request: 300ms}, ${to('v1')}}`),
      http('backend-timeout', `{timeouts: {request: 10s, backendRequest: 300ms}, ${to('v1')}}`),
      http('percent', `{filters: [${mirror('percent: 25')}], ${to('v1')}}`),
      http('fraction', `{filters: [${mirror('fraction: {numerator: 1, denominator: 2}')}], ${to('v1')}}`),
      ...secured.map((name) => http(name, `{${to(name)}}`)),
      http('granted', '{backendRefs: [{name: v2, namespace: shop, port: 80}]}'),
      document(
        'ReferenceGrant',
        'shop',
        'g',
        '{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: edge}], to: [{group: "", kind: Service, name: v2}]}',
        'v1beta1',
      ),
      document(
        'ReferenceGrant',
        'keys',
        'g',
        '{from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: edge}], to: [{group: "", kind: Secret, name: cert}]}',
        'v1beta1',
      ),
      policy('good', 'secure.test', by('ca')),
      policy('wrong-ca', 'secure.test', by('foreign')),
      policy('wrong-host', 'other.test', by('ca')),
      policy('no-ca', 'secure.test', by('gone')),
      policy('named', 'sni.test', `${by('ca')}, subjectAltNames: [{type: Hostname, hostname: secure.test}]`),
      ...(['valid', 'fallback', 'open'] as const).map((name) => route('HTTPRoute', name, name, `rules: [{${to('v1')}}]`)),
      route(
        'TCPRoute',
        'tcp',
        'tcp',
        `rules: [{backendRefs: [{name: one, port: 80, weight: 3}, {name: two, port: 80, weight: 1}]}, {${to('through')}}]`,
        'v1alpha2',
      ),
      route(
        'TCPRoute',
        'closed',
        'closed',
        `rules: [{backendRefs: [{name: one, port: 80, weight: 0}]}, {${to('one')}}]`,
        'v1alpha2',
      ),
      route('TLSRoute', 'passed', 'passed', `hostnames: [through.test], rules: [{${to('through')}}, {${to('one')}}]`, 'v1alpha2'),
      route('TLSRoute', 'ended', 'ended', `rules: [{${to('one')}}]`),
      route(
        'GRPCRoute',
        'greet',
        'grpc',
        `hostnames: [greet.test], rules: [
          {matches: [{method: {service: greet.Greeter, method: Hello}, headers: [{name: version, value: two}]}], ${to('grpc-two')}},
          {matches: [{method: {service: greet.Greeter, method: Hello}}], ${to('grpc-one')}}]`,
      ),
    ];
    const cert = await authority.issueForHost('edge.test');
    edge = await startEdge(envoy, rules.join(''), new Map([['keys/cert', cert]]));
  });

  after(async () => {
    await edge?.close();
    for (const server of servers) server.close();
    for (const server of grpcServers) server.forceShutdown();
    await Promise.all([...upstreams.values()].map((upstream) => upstream.close()));
  });

  const get = (host: string, path = '/', how: Call = {}): Promise<Answer> => call(undefined, EDGE, ports.http, host, path, how);

  it('answers preflights for the origins of a CORS filter', async () => {
    const asks = (origin: string) => ({ origin, 'access-control-request-method': 'PUT' });
    const before = upstreams.get('v1')?.seen.length;
    const taken = await get('cors.test', '/', { method: 'OPTIONS', headers: asks('https://a.good.test') });
    assert.deepEqual(
      [
        taken.status,
        taken.headers['access-control-allow-origin'],
        taken.headers['access-control-allow-methods'],
        taken.headers['access-control-max-age'],
      ],
      [200, 'https://a.good.test', 'GET,PUT', '60'],
    );
    assert.equal(upstreams.get('v1')?.seen.length, before, 'the proxy answers it');
    for (const origin of ['https://good.test.evil', 'https://good.test', 'http://a.good.test']) {
      const refused = await get('cors.test', '/', { method: 'OPTIONS', headers: asks(origin) });
      assert.equal(refused.headers['access-control-allow-origin'], undefined, origin);
    }
    const simple = await get('cors.test', '/', { headers: { origin: 'https://a.good.test' } });
    assert.deepEqual([simple.server, simple.headers['access-control-allow-origin']], ['v1', 'https://a.good.test']);
  });

  it('tries again for the codes that are named, as often as asked for', async () => {
    assert.equal((await get('retry.test', '/twice', { headers: { 'x-answer': 'fail-2' } })).status, 200);
    assert.equal(upstreams.get('v1')?.seen.filter(({ path }) => path === '/twice').length, 3);
    assert.equal((await get('retry.test', '/thrice', { headers: { 'x-answer': 'fail-3' } })).status, 503);
    assert.equal((await get('retry.test', '/other', { headers: { 'x-answer': '502' } })).status, 502);
    assert.equal(upstreams.get('v1')?.seen.filter(({ path }) => path === '/other').length, 1);
  });

  it('gives up at the limit of a request and of a backend', async () => {
    assert.equal((await get('timeout.test', '/slow')).status, 504);
    assert.equal((await get('backend-timeout.test', '/slow')).status, 504);
    assert.equal((await get('backend-timeout.test', '/')).status, 200);
  });

  it('mirrors a percentage, and a fraction', async () => {
    for (const [host, part] of [
      ['percent', 0.25],
      ['fraction', 0.5],
    ] as const) {
      const [all, path] = [600, `/mirror-${host}`];
      for (let sent = 0; sent < all; sent += 50) await Promise.all(Array.from({ length: 50 }, () => get(`${host}.test`, path)));
      // Five standard deviations: copies are drawn.
      const spread = 5 * Math.sqrt(all * part * (1 - part));
      await eventually(`copies of ${host}`, () => {
        const copies = upstreams.get('copy')?.seen.filter((one) => one.path === path).length ?? 0;
        return Promise.resolve(Math.abs(copies - all * part) <= spread ? true : undefined);
      });
    }
  });

  it('BackendTLSPolicy: the server is known by its name and authority, or not called', async () => {
    const good = await get('good.test', '/x');
    assert.deepEqual([good.status, good.server, good.path], [200, 'secure', '/x']);
    assert.equal((await get('named.test')).server, 'secure');
    for (const name of ['wrong-ca', 'wrong-host']) assert.equal((await get(`${name}.test`)).status, 503, name);
    assert.equal((await get('no-ca.test')).status, 500, 'nothing to check it against');
  });

  it('BackendTLSPolicy: a server that asks for a certificate sees that of the Gateway', async () => {
    assert.equal((await get('asking.test')).server, 'asking');
  });

  it('a backend of another namespace with a ReferenceGrant', async () => {
    assert.equal((await get('granted.test')).server, 'v2');
  });

  const bytes = async (socket: ReturnType<typeof connectTcp>): Promise<string> => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of socket) chunks.push(Buffer.from(chunk as Uint8Array));
    } catch {
      // A server that ends first may reset what the client still sends.
      if (chunks.length === 0) return 'no connection';
    }
    return Buffer.concat(chunks).toString();
  };

  it('TCPRoute: connections by weight', async () => {
    const counts = new Map<string, number>();
    for (let sent = 0; sent < 200; sent++) {
      const name = await bytes(connectTcp(ports.tcp, EDGE));
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    assert.deepEqual([...counts.keys()].sort(), ['one', 'two']);
    assert.ok(Math.abs((counts.get('one') ?? 0) - 150) <= 31, JSON.stringify([...counts]));
  });

  it('TCPRoute: backends of weight 0 take nothing, and no later rule takes it for them', async () => {
    assert.ok(['', 'no connection'].includes(await bytes(connectTcp(ports.closed, EDGE))));
  });

  it('TLSRoute: passed through to the application by name, other names nowhere', async () => {
    const through = (servername: string) => bytes(connectTls({ host: EDGE, port: ports.passed, servername, ca: authority.root }));
    assert.equal(await through('through.test'), 'the application ends this');
    assert.notEqual(await through('other.test'), 'the application ends this');
  });

  it('TLSRoute: TLS ended at the gateway, with the Secret of another namespace', async () => {
    const socket = connectTls({ host: EDGE, port: ports.ended, servername: 'edge.test', ca: authority.root });
    assert.equal(await bytes(socket), 'one');
  });

  const secure = (port: number, shown?: Issued): Promise<number | 'refused'> =>
    httpsStatus({
      host: EDGE,
      port,
      servername: 'edge.test',
      ca: authority.root,
      ...(shown === undefined ? {} : { cert: shown.cert, key: shown.key }),
    });

  it('client certificates: needed, or let in without, and never a wrong one', async () => {
    assert.deepEqual(
      [await secure(ports.valid), await secure(ports.valid, stranger), await secure(ports.valid, client)],
      ['refused', 'refused', 200],
    );
    assert.deepEqual(
      [await secure(ports.fallback), await secure(ports.fallback, stranger), await secure(ports.fallback, client)],
      [200, 'refused', 200],
    );
    assert.deepEqual([await secure(ports.open), await secure(ports.open, stranger)], [200, 200]);
  });

  it('GRPCRoute: a client of grpc-js reaches methods by name and header', async () => {
    const greeter = new Client(`${EDGE}:${ports.grpc}`, credentials.createInsecure(), {
      'grpc.default_authority': 'greet.test',
    });
    const ask = (name: string, version?: string) =>
      new Promise<string>((done) => {
        const metadata = new Metadata();
        if (version !== undefined) metadata.set('version', version);
        greeter.makeUnaryRequest(
          `/greet.Greeter/${name}`,
          raw,
          raw,
          Buffer.from('x'),
          metadata,
          (error: ServiceError | null, value?: Buffer) => {
            done(error === null ? String(value) : (status[error.code] ?? String(error.code)));
          },
        );
      });
    try {
      assert.deepEqual(
        [await ask('Hello'), await ask('Hello', 'two'), await ask('Hello', 'three')],
        ['grpc-one', 'grpc-two', 'grpc-one'],
      );
      assert.equal(await ask('Bye'), 'UNIMPLEMENTED', 'no rule is for it');
    } finally {
      greeter.close();
    }
  });
});
