import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Issued, TestAuthority } from '../../audit/envoy/certificates.ts';
import { envoyOrSkip, envoyPath } from '../../audit/envoy/process.ts';
import { startApplication } from '../envoy/application.ts';
import { type Outcome, send } from '../envoy/caller.ts';
import { type RunningTarget, type Target, startTarget } from '../envoy/target.ts';
import {
  DENIED_BY_AUTHORIZER,
  type GrpcAuthorizer,
  type HttpAuthorizer,
  startGrpcAuthorizer,
  startHttpAuthorizer,
  TRUSTED_CALLER,
} from './servers.ts';

// Addresses of this process alone, since Envoy must bind the ports that servers name.
const NET = `127.${170 + (process.pid % 40)}.${(process.pid >> 6) % 256}`;
const APPLICATION = `${NET}.250`;
const TRUSTED = `${NET}${TRUSTED_CALLER}`;
const SERVICE = 'authz.servers.svc.cluster.local';
const [HTTP, TCP, HTTPS] = [18080, 19090, 18443];
/** Ports of the gateway: HTTP, TCP, TCP in the mesh's own TLS, TLS that goes through as it is. */
const PORTS = Object.freeze({ http: 8080, tcp: 9000, mutual: 9443, through: 8443 });

const service = (name: string, namespace: string, ports: readonly object[]) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { selector: { app: name }, ports },
});
const pod = (name: string, namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { app: name } },
  spec: { containers: [{ name: 'app', ports: [{ containerPort: HTTP }, { containerPort: TCP }, { containerPort: HTTPS }] }] },
  status: { podIP: APPLICATION, phase: 'Running' },
});
const networking = (kind: string, name: string, spec: object) => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name, namespace: 'edge' },
  spec,
});

const to = (host: string, number: number) => ({ destination: { host: `${host}.svc.cluster.local`, port: { number } } });

const MESH: readonly object[] = [
  service('authz', 'servers', [
    { name: 'http', port: 8000 },
    { name: 'grpc', port: 9000 },
    { name: 'http-nobody', port: 8001 },
    { name: 'grpc-nobody', port: 9001 },
  ]),
  pod('authz', 'servers'),
  service('b', 'shop', [
    { name: 'http', port: 80, targetPort: HTTP },
    { name: 'tcp', port: 90, targetPort: TCP },
    { name: 'https', port: 443, targetPort: HTTPS },
  ]),
  pod('b', 'shop'),
  networking('Gateway', 'front', {
    selector: { app: 'gw' },
    servers: [
      { port: { number: PORTS.http, name: 'http', protocol: 'HTTP' }, hosts: ['*'] },
      { port: { number: PORTS.tcp, name: 'tcp', protocol: 'TCP' }, hosts: ['*'] },
      { port: { number: PORTS.mutual, name: 'tls', protocol: 'TLS' }, tls: { mode: 'ISTIO_MUTUAL' }, hosts: ['*'] },
      { port: { number: PORTS.through, name: 'tls-through', protocol: 'TLS' }, tls: { mode: 'PASSTHROUGH' }, hosts: ['*'] },
    ],
  }),
  networking('VirtualService', 'front', {
    hosts: ['*'],
    gateways: ['front'],
    http: [{ route: [to('b.shop', 80)] }],
    tcp: [PORTS.tcp, PORTS.mutual].map((port) => ({ match: [{ port }], route: [to('b.shop', 90)] })),
  }),
  networking('VirtualService', 'through', {
    hosts: ['through.test'],
    gateways: ['front'],
    tls: [{ match: [{ port: PORTS.through, sniHosts: ['through.test'] }], route: [to('b.shop', 443)] }],
  }),
];

const PROVIDERS = [
  {
    name: 'web',
    envoyExtAuthzHttp: {
      service: SERVICE,
      port: 8000,
      includeRequestHeadersInCheck: ['x-ext-authz'],
      headersToUpstreamOnAllow: ['x-authz-result'],
      headersToDownstreamOnAllow: ['x-other'],
      headersToDownstreamOnDeny: ['x-authz-result'],
    },
  },
  { name: 'rpc', envoyExtAuthzGrpc: { service: SERVICE, port: 9000 } },
  { name: 'down', envoyExtAuthzHttp: { service: SERVICE, port: 8001 } },
  { name: 'down-rpc', envoyExtAuthzGrpc: { service: SERVICE, port: 9001 } },
  { name: 'open', envoyExtAuthzHttp: { service: SERVICE, port: 8001, failOpen: true } },
  { name: 'nowhere', envoyExtAuthzHttp: { service: 'gone.servers.svc.cluster.local', port: 8000, failOpen: true } },
];

/** The paths below its name are each provider's; `absent` is none of them. */
function policies(attached: object): readonly object[] {
  const policy = (name: string, provider: string, operations: readonly object[]) => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: 'edge' },
    spec: {
      ...attached,
      action: 'CUSTOM',
      provider: { name: provider },
      rules: operations.map((operation) => ({ to: [{ operation }] })),
    },
  });
  const atHttp = { ports: [String(PORTS.http)] };
  return [
    ...[...PROVIDERS.map(({ name }) => name), 'absent'].map((name) => policy(name, name, [{ paths: [`/${name}/*`], ...atHttp }])),
    policy('both-web', 'web', [{ paths: ['/both'], ...atHttp }]),
    policy('both-rpc', 'rpc', [
      { paths: ['/both'], ...atHttp },
      ...[PORTS.tcp, PORTS.mutual, PORTS.through].map((port) => ({ ports: [String(port)] })),
    ]),
  ];
}

const WAYS = [
  ['selected by label', { selector: { matchLabels: { app: 'gw' } } }],
  ['by targetRefs', { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge-gw' }] }],
] as const;

describe('policy, external authorization at a gateway in the real Envoy', function () {
  this.timeout(60_000);
  const envoy = envoyPath();
  let folder = '';
  let authority: TestAuthority;
  let http: HttpAuthorizer;
  let grpc: GrpcAuthorizer;
  let account: { readonly a: Issued; readonly b: Issued };
  let stopApplication: (() => Promise<void>) | undefined;
  let count = 0;

  before(async function () {
    envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-ext-authz-gateway-'));
    authority = await TestAuthority.create();
    account = {
      a: await authority.issue('spiffe://cluster.local/ns/shop/sa/a'),
      b: await authority.issue('spiffe://cluster.local/ns/shop/sa/b'),
    };
    const ports = [
      { port: HTTP, protocol: 'HTTP' },
      { port: TCP, protocol: 'TCP' },
      { port: HTTPS, protocol: 'HTTPS' },
    ];
    stopApplication = await startApplication(APPLICATION, ports, account.a);
    http = await startHttpAuthorizer(APPLICATION, 8000);
    grpc = await startGrpcAuthorizer(APPLICATION, 9000);
  });

  after(async () => {
    await stopApplication?.();
    if (stopApplication !== undefined) await Promise.all([http.stop(), grpc.stop()]);
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  for (const [how, attached] of WAYS) {
    describe(how, () => {
      let running: RunningTarget | undefined;
      let host = '';

      before(async () => {
        assert.ok(envoy !== undefined);
        count += 1;
        host = `${NET}.${count}`;
        const own = mkdtempSync(join(folder, 'case-'));
        const file = join(own, 'mesh.yaml');
        writeFileSync(file, [...MESH, ...policies(attached)].map((one) => stringify(one)).join('---\n'));
        const target: Target = {
          kind: 'gateway',
          namespace: 'edge',
          service: 'gw',
          labels: { app: 'gw', 'gateway.networking.k8s.io/gateway-name': 'edge-gw' },
          ports: Object.entries(PORTS).map(([name, port]) => ({
            name,
            protocol: name === 'http' ? 'HTTP' : 'TCP',
            service: port,
            workload: port,
          })),
        };
        const meshConfig = { extensionProviders: PROVIDERS };
        running = await startTarget(envoy, {
          paths: [file],
          meshConfig,
          target,
          address: host,
          application: APPLICATION,
          authority,
          folder: own,
        });
        assert.deepEqual(
          running.diagnostics.filter(({ severity }) => severity === 'error'),
          [],
        );
      });
      beforeEach(() => {
        http.seen.splice(0);
        grpc.seen.splice(0);
      });
      after(() => running?.stop());

      const call = (path: string, answer: 'allow' | 'deny', more: Record<string, string> = {}): Promise<Outcome> =>
        send({
          protocol: 'HTTP',
          path,
          headers: { host: 'shop.test', 'x-ext-authz': answer, ...more },
          to: { host, port: PORTS.http },
          shown: 'plain',
        });
      const connects = async (port: number, as: 'a' | 'b' | 'plain', from?: string): Promise<boolean> => {
        const shown = as === 'plain' ? 'plain' : account[as];
        return (await send({ protocol: 'TCP', to: { host, port }, shown, localAddress: from, sni: 'mutual.test' })).reached;
      };

      for (const provider of ['web', 'rpc']) {
        it(`asks ${provider}, whose answer decides`, async () => {
          const denied = await call(`/${provider}/x`, 'deny');
          assert.deepEqual([denied.reached, denied.status, denied.body], [false, 403, DENIED_BY_AUTHORIZER]);
          const allowed = await call(`/${provider}/x`, 'allow');
          assert.deepEqual([allowed.reached, allowed.status], [true, 200]);
        });
      }

      it('asks nobody about what no CUSTOM rule matches', async () => {
        assert.ok((await call('/free', 'deny')).reached);
        assert.deepEqual([http.seen.length, grpc.seen.length], [0, 0]);
      });

      it('asks all providers whose rules match, in the order of their names, until one denies', async () => {
        assert.ok((await call('/both', 'allow')).reached);
        assert.deepEqual([http.seen.length, grpc.seen.length], [1, 1]);
        assert.equal((await call('/both', 'deny')).status, 403);
        assert.deepEqual([http.seen.length, grpc.seen.length], [1, 2]);
      });

      it('takes headers of the answer to the application and to the caller as asked', async () => {
        const forged = { 'x-authz-result': 'forged' };
        const allowed = await call('/web/x', 'allow', forged);
        assert.deepEqual([allowed.seen?.headers['x-authz-result'], allowed.seen?.headers['x-authz-secret']], ['told', undefined]);
        assert.deepEqual([allowed.headers['x-other'], allowed.headers['x-authz-result']], ['other', undefined]);
        const denied = await call('/web/x', 'deny');
        assert.deepEqual([denied.headers['x-authz-result'], denied.headers['x-other']], ['told', undefined]);
        const rpc = await call('/rpc/x', 'allow', forged);
        assert.deepEqual([rpc.seen?.headers['x-authz-result'], rpc.seen?.headers['x-authz-secret']], ['told', 'kept']);
      });

      it('tells a gRPC authorizer what is asked for', async () => {
        await call('/rpc/x?y=1', 'allow');
        const asked = grpc.seen[0]?.attributes?.request?.http;
        assert.deepEqual([asked?.method, asked?.path, asked?.host], ['GET', '/rpc/x?y=1', 'shop.test']);
      });

      it('lets nothing through when an authorizer cannot be asked, unless it fails open', async () => {
        for (const provider of ['down', 'down-rpc', 'nowhere', 'absent']) {
          const outcome = await call(`/${provider}/x`, 'allow');
          assert.deepEqual([outcome.reached, outcome.status], [false, 403], provider);
        }
        assert.ok((await call('/open/x', 'deny')).reached);
      });

      it('asks a gRPC authorizer about connections to a TCP server', async () => {
        assert.deepEqual([await connects(PORTS.tcp, 'plain', TRUSTED), await connects(PORTS.tcp, 'plain')], [true, false]);
        assert.equal(grpc.seen.length, 2);
      });

      it('asks about connections whose TLS the gateway ends, with the identity of the caller', async () => {
        assert.deepEqual([await connects(PORTS.mutual, 'a'), await connects(PORTS.mutual, 'b')], [true, false]);
        const asked = grpc.seen.map(({ attributes }) => attributes?.source?.principal);
        assert.deepEqual(asked, ['spiffe://cluster.local/ns/shop/sa/a', 'spiffe://cluster.local/ns/shop/sa/b']);
      });

      it('asks about TLS that goes through as it is, and lets none of it through when denied', async () => {
        const through = (localAddress?: string): Promise<Outcome> =>
          send({
            protocol: 'HTTP',
            to: { host, port: PORTS.through },
            shown: 'anonymous',
            sni: 'through.test',
            alpn: ['http/1.1'],
            headers: { host: 'through.test' },
            localAddress,
          });
        assert.deepEqual([(await through(TRUSTED)).reached, (await through()).reached], [true, false]);
        assert.equal(grpc.seen.length, 2);
        assert.deepEqual(grpc.seen[0]?.attributes?.source?.principal, '');
      });
    });
  }
});
