import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Issued, TestAuthority } from '../../audit/envoy/certificates.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { startApplication } from '../envoy/application.ts';
import { type Outcome, send } from '../envoy/caller.ts';
import { type RunningTarget, startTarget } from '../envoy/target.ts';
import { port, request } from '../model.ts';
import {
  DENIED_BY_AUTHORIZER,
  type GrpcAuthorizer,
  type HttpAuthorizer,
  startGrpcAuthorizer,
  startHttpAuthorizer,
} from './servers.ts';

// Addresses of this process alone, since Envoy must bind the ports that policies name.
const NET = `127.${100 + (process.pid % 60)}.${(process.pid >> 6) % 256}`;
const APPLICATION = `${NET}.2`;
const SERVICE = 'authz.servers.svc.cluster.local';

const AUTHORIZER = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'authz', namespace: 'servers', annotations: { 'networking.istio.io/exportTo': '.' } },
    spec: {
      selector: { app: 'authz' },
      ports: [
        { name: 'http', port: 8000 },
        { name: 'grpc', port: 9000 },
        { name: 'http-nobody', port: 8001 },
        { name: 'grpc-nobody', port: 9001 },
      ],
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'authz', namespace: 'servers', labels: { app: 'authz' } },
    spec: { containers: [{ name: 'app' }] },
    status: { podIP: APPLICATION, phase: 'Running' },
  },
];

const web = { service: SERVICE, port: 8000, includeRequestHeadersInCheck: ['x-ext-authz'] };
const PROVIDERS = [
  { name: 'web', envoyExtAuthzHttp: web },
  {
    name: 'full',
    envoyExtAuthzHttp: {
      ...web,
      service: `servers/${SERVICE}`,
      timeout: '2s',
      pathPrefix: '/check',
      includeRequestHeadersInCheck: ['X-Ext-Authz', 'x-keep-*', '*-kept'],
      includeAdditionalHeadersInCheck: { 'x-from': 'the mesh' },
      includeRequestBodyInCheck: { maxRequestBytes: 8, allowPartialMessage: true },
      headersToUpstreamOnAllow: ['x-authz-re*'],
      headersToDownstreamOnAllow: ['x-other'],
      headersToDownstreamOnDeny: ['x-authz-result'],
    },
  },
  {
    name: 'rpc',
    envoyExtAuthzGrpc: { service: SERVICE, port: 9000, includeRequestBodyInCheck: { maxRequestBytes: 64 } },
  },
  { name: 'down', envoyExtAuthzHttp: { service: SERVICE, port: 8001, statusOnError: '503' } },
  { name: 'down-rpc', envoyExtAuthzGrpc: { service: SERVICE, port: 9001 } },
  { name: 'open', envoyExtAuthzHttp: { service: SERVICE, port: 8001, failOpen: true } },
  { name: 'open-rpc', envoyExtAuthzGrpc: { service: SERVICE, port: 9001, failOpen: true } },
  { name: 'nowhere', envoyExtAuthzHttp: { service: 'gone.servers.svc.cluster.local', port: 8000, failOpen: true } },
  { name: 'nowhere-rpc', envoyExtAuthzGrpc: { service: 'gone.servers.svc.cluster.local', port: 9000, failOpen: true } },
  { name: 'unusable', envoyExtAuthzHttp: { service: SERVICE, port: 999_999, pathPrefix: 'check', failOpen: true } },
  { name: 'tracing', zipkin: { service: SERVICE, port: 9411 } },
];

/** Each provider decides over the paths below its name; `absent` is none of them. */
function policies(): string {
  const policy = (name: string, provider: string, rules: readonly object[]) =>
    stringify({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name, namespace: 'shop' },
      spec: { action: 'CUSTOM', provider: { name: provider }, rules },
    });
  const paths = (...wanted: readonly string[]) => ({ to: [{ operation: { paths: wanted } }] });
  const port = (number: string) => ({ to: [{ operation: { ports: [number] } }] });
  return [
    ...[...PROVIDERS.map(({ name }) => name), 'absent'].map((name) =>
      policy(name, name, [{ to: [{ operation: { paths: [`/${name}/*`], ports: ['8080'] } }] }]),
    ),
    policy('both-web', 'web', [paths('/both')]),
    policy('both-rpc', 'rpc', [{ to: [{ operation: { paths: ['/both'], ports: ['8080'] } }] }, port('9090')]),
    policy('tcp-web', 'web', [port('9091')]),
    policy('tcp-down', 'down-rpc', [port('9092')]),
    policy('tcp-open', 'open-rpc', [port('9093')]),
    policy('tcp-absent', 'absent', [port('9094')]),
    policy('tcp-nowhere', 'nowhere-rpc', [port('9095')]),
  ].join('---\n');
}

const TCP_PORTS = [9090, 9091, 9092, 9093, 9094, 9095];

describe('policy, external authorization in the real Envoy', function () {
  this.timeout(60_000);
  let folder = '';
  let http: HttpAuthorizer | undefined;
  let grpc: GrpcAuthorizer | undefined;
  let target: RunningTarget | undefined;
  let stopApplication: (() => Promise<void>) | undefined;
  const shown: { a?: Issued; b?: Issued } = {};

  before(async function () {
    const envoy = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-ext-authz-'));
    const authority = await TestAuthority.create();
    shown.a = await authority.issue('spiffe://cluster.local/ns/shop/sa/a');
    shown.b = await authority.issue('spiffe://cluster.local/ns/shop/sa/b');
    stopApplication = await startApplication(APPLICATION, [
      { port: 8080, protocol: 'HTTP' },
      ...TCP_PORTS.map((port) => ({ port, protocol: 'TCP' })),
    ]);
    http = await startHttpAuthorizer(APPLICATION, 8000);
    grpc = await startGrpcAuthorizer(APPLICATION, 9000);
    writeFileSync(join(folder, 'policies.yaml'), policies());
    target = await startTarget(envoy, {
      paths: [join(folder, 'policies.yaml')],
      meshConfig: { extensionProviders: PROVIDERS },
      target: {
        kind: 'sidecar',
        namespace: 'shop',
        service: 'web',
        labels: { app: 'web' },
        ports: [
          { name: 'http', protocol: 'HTTP', service: 80, workload: 8080 },
          ...TCP_PORTS.map((port) => ({ name: `tcp-${port}`, protocol: 'TCP', service: port, workload: port })),
        ],
      },
      address: `${NET}.1`,
      application: APPLICATION,
      authority,
      folder,
      objects: AUTHORIZER,
    });
  });

  after(async () => {
    await target?.stop();
    await http?.stop();
    await grpc?.stop();
    await stopApplication?.();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    http?.seen.splice(0);
    grpc?.seen.splice(0);
  });

  async function call(path: string, answer: 'allow' | 'deny' | undefined, more: Record<string, string> = {}): Promise<Outcome> {
    assert.ok(shown.a !== undefined);
    const headers = { host: 'web', ...(answer === undefined ? {} : { 'x-ext-authz': answer }), ...more };
    return send({ protocol: 'HTTP', method: 'GET', path, headers, to: { host: `${NET}.1`, port: 8080 }, shown: shown.a });
  }

  async function connects(port: number, as: 'a' | 'b'): Promise<boolean> {
    const certificate = shown[as];
    assert.ok(certificate !== undefined);
    return (await send({ protocol: 'TCP', to: { host: `${NET}.1`, port }, shown: certificate })).reached;
  }

  for (const provider of ['web', 'rpc', 'full']) {
    it(`asks ${provider}, whose answer decides`, async () => {
      const denied = await call(`/${provider}/x`, 'deny');
      assert.deepEqual([denied.reached, denied.status, denied.body], [false, 403, DENIED_BY_AUTHORIZER]);
      const allowed = await call(`/${provider}/x`, 'allow');
      assert.deepEqual([allowed.reached, allowed.status], [true, 200]);
    });
  }

  it('asks nobody about what no CUSTOM rule matches', async () => {
    assert.ok((await call('/free', 'deny')).reached);
    assert.deepEqual([http?.seen.length, grpc?.seen.length], [0, 0]);
  });

  it('asks all providers whose rules match, the first that denies last', async () => {
    assert.ok((await call('/both', 'allow')).reached);
    assert.deepEqual([http?.seen.length, grpc?.seen.length], [1, 1]);
    assert.equal((await call('/both', 'deny')).status, 403);
    // rpc comes before web in the order of names.
    assert.deepEqual([http?.seen.length, grpc?.seen.length], [1, 2]);
  });

  it('shows an HTTP authorizer what it asked for: path, headers, body', async () => {
    assert.ok(shown.a !== undefined);
    const headers = { host: 'web', 'x-ext-authz': 'allow', 'x-keep-me': '1', 'x-is-kept': '2', 'x-private': '3', 'x-from': 'me' };
    const outcome = await send({
      protocol: 'HTTP',
      method: 'POST',
      path: '/full/x?y=1',
      headers,
      body: '0123456789',
      to: { host: `${NET}.1`, port: 8080 },
      shown: shown.a,
    });
    assert.ok(outcome.reached);
    const [asked] = http?.seen ?? [];
    assert.ok(asked !== undefined);
    assert.deepEqual([asked.method, asked.path, asked.body], ['POST', '/check/full/x?y=1', '01234567']);
    const { host, ...got } = asked.headers;
    assert.equal(host, 'web');
    assert.deepEqual([got['x-keep-me'], got['x-is-kept'], got['x-private'], got['x-from']], ['1', '2', undefined, 'the mesh']);
  });

  it('takes headers of the answer to the application and to the caller as asked', async () => {
    const allowed = await call('/full/x', 'allow');
    assert.deepEqual([allowed.seen?.headers['x-authz-result'], allowed.seen?.headers['x-authz-secret']], ['told', undefined]);
    assert.deepEqual([allowed.headers['x-other'], allowed.headers['x-authz-result']], ['other', undefined]);
    const denied = await call('/full/x', 'deny');
    assert.deepEqual([denied.headers['x-authz-result'], denied.headers['x-other']], ['told', undefined]);
  });

  it('tells a gRPC authorizer who calls, and what', async () => {
    assert.ok((await call('/rpc/x?y=1', 'allow')).reached);
    const { source, destination, request } = grpc?.seen[0]?.attributes ?? {};
    assert.equal(source?.principal, 'spiffe://cluster.local/ns/shop/sa/a');
    assert.equal(destination?.principal, 'spiffe://cluster.local/ns/shop/sa/default');
    assert.deepEqual([request?.http?.method, request?.http?.path, request?.http?.host], ['GET', '/rpc/x?y=1', 'web']);
  });

  it('answers as asked when an authorizer cannot be asked', async () => {
    assert.equal((await call('/down/x', 'allow')).status, 503);
    assert.equal((await call('/down-rpc/x', 'allow')).status, 403);
  });

  it('lets through on failure only where the provider fails open', async () => {
    assert.ok((await call('/open/x', 'deny')).reached);
    assert.ok((await call('/open-rpc/x', 'deny')).reached);
  });

  for (const [provider, why] of [
    ['nowhere', 'whose Service is not in the mesh, though it fails open'],
    ['nowhere-rpc', 'likewise over gRPC'],
    ['unusable', 'that is written wrong'],
    ['tracing', 'that does not authorize'],
    ['absent', 'that is not there'],
  ] as const) {
    it(`denies what policies match for a provider ${why}`, async () => {
      const outcome = await call(`/${provider}/x`, 'allow');
      assert.deepEqual([outcome.reached, outcome.status], [false, 403]);
    });
  }

  it('decides as evaluate does, given the answers', async () => {
    const { snapshot } = target ?? {};
    assert.ok(snapshot !== undefined);
    const answering = ['web', 'rpc', 'full'];
    for (const path of [...PROVIDERS.map(({ name }) => `/${name}/x`), '/absent/x', '/both', '/free']) {
      for (const answer of ['allow', 'deny'] as const) {
        // What cannot be reached gives no answer; evaluate is told what that leads to.
        const extAuthz = new Map([
          ...answering.map((name) => [name, answer] as const),
          ...['open', 'open-rpc', 'nowhere', 'unusable'].map((name) => [name, 'allow'] as const),
        ]);
        const asked = request({
          source: { principal: 'spiffe://cluster.local/ns/shop/sa/a' },
          destination: { namespace: 'shop', labels: { app: 'web' }, port: port(8080) },
          http: { method: 'GET', path, host: 'web' },
        });
        const { decision, reason } = evaluate(snapshot, { ...asked, extAuthz });
        assert.equal(decision, (await call(path, answer)).reached ? 'ALLOW' : 'DENY', `${path} ${answer}: ${reason}`);
      }
    }
    for (const number of TCP_PORTS) {
      for (const as of ['a', 'b'] as const) {
        const principal = `spiffe://cluster.local/ns/shop/sa/${as}`;
        const asked = request({
          source: { principal },
          destination: { namespace: 'shop', labels: { app: 'web' }, port: port(number), protocol: 'TCP' },
        });
        const extAuthz = new Map([
          ['rpc', as === 'a' ? 'allow' : 'deny'],
          ['open-rpc', 'allow'],
          ['nowhere-rpc', 'allow'],
        ] as const);
        const { decision, reason } = evaluate(snapshot, { ...asked, extAuthz });
        assert.equal(decision, (await connects(number, as)) ? 'ALLOW' : 'DENY', `${number} ${as}: ${reason}`);
      }
    }
  });

  it('asks a gRPC authorizer about connections', async () => {
    assert.deepEqual([await connects(9090, 'a'), await connects(9090, 'b')], [true, false]);
    assert.equal(grpc?.seen.length, 2);
  });

  it('does not ask an HTTP authorizer about connections, as Istio', async () => {
    assert.ok(await connects(9091, 'b'));
    assert.equal(http?.seen.length, 0);
  });

  it('closes connections whose authorizer cannot be asked, unless it fails open', async () => {
    assert.deepEqual([await connects(9092, 'a'), await connects(9093, 'b')], [false, true]);
    assert.deepEqual([await connects(9094, 'a'), await connects(9095, 'a')], [false, false]);
  });
});
