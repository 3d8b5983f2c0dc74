import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Issued, TestAuthority } from '../../audit/envoy/certificates.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { startApplication } from './application.ts';
import { type Call, send } from './caller.ts';
import { type RunningTarget, startTarget } from './target.ts';

const NET = `127.${128 + (process.pid % 60)}.${(process.pid >> 6) % 256}`;
const POD = `${NET}.21`;
const GATEWAY = `${NET}.22`;
const APPLICATION = `${NET}.31`;
const GRPC = 17_072;
const HTTP = 18_072;
const EDGE = 28_072;
const PERMISSION_DENIED = 7;

function policy(name: string, spec: object, namespace = 'shop'): object {
  return { apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { name, namespace }, spec };
}

const web = { matchLabels: { app: 'web' } };
const POLICIES = [
  policy('grpc', {
    selector: web,
    rules: [
      {
        from: [{ source: { serviceAccounts: ['shop/cart'] } }],
        to: [{ operation: { ports: [String(GRPC)], methods: ['POST'], paths: ['/shop.Orders/Get', '/shop.Catalog/*'] } }],
      },
      { to: [{ operation: { ports: [String(HTTP)] } }] },
    ],
  }),
  policy('web-sockets', {
    selector: web,
    action: 'DENY',
    rules: [
      {
        to: [{ operation: { ports: [String(HTTP)], paths: ['/live/*'] } }],
        when: [{ key: 'request.headers[upgrade]', values: ['websocket'] }],
        from: [{ source: { notTrustDomains: ['cluster.local'] } }],
      },
    ],
  }),
];

describe('policy over gRPC and web sockets, and at a gateway that is a target', function () {
  this.timeout(30_000);
  let folder = '';
  let target: RunningTarget | undefined;
  let gateway: RunningTarget | undefined;
  let stop: (() => Promise<void>) | undefined;
  const callers = new Map<string, Issued>();

  before(async function () {
    const envoy = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-protocols-'));
    const authority = await TestAuthority.create();
    for (const [name, id] of [
      ['cart', 'spiffe://cluster.local/ns/shop/sa/cart'],
      ['web', 'spiffe://cluster.local/ns/shop/sa/web'],
      ['partner', 'spiffe://partner.example/ns/shop/sa/cart'],
    ] as const)
      callers.set(name, await authority.issue(id));
    stop = await startApplication(APPLICATION, [
      { port: GRPC, protocol: 'GRPC' },
      { port: HTTP, protocol: 'HTTP' },
    ]);
    const file = join(folder, 'policies.yaml');
    writeFileSync(file, POLICIES.map((one) => stringify(one)).join('---\n'));
    const common = { application: APPLICATION, authority };
    target = await startTarget(envoy, {
      ...common,
      paths: [file],
      meshConfig: { trustDomainAliases: ['partner.example'] },
      folder: join(folder, 'sidecar'),
      address: POD,
      target: {
        kind: 'sidecar',
        namespace: 'shop',
        service: 'web',
        labels: { app: 'web' },
        ports: [
          { name: 'grpc', protocol: 'GRPC', service: GRPC, workload: GRPC },
          { name: 'http', protocol: 'HTTP', service: HTTP, workload: HTTP },
        ],
      },
    });
    const edge = join(folder, 'edge.yaml');
    writeFileSync(edge, EDGE_OBJECTS.map((one) => stringify(one)).join('---\n'));
    gateway = await startTarget(envoy, {
      ...common,
      paths: [edge],
      meshConfig: { defaultConfig: { gatewayTopology: { numTrustedProxies: 2 } } },
      folder: join(folder, 'gateway'),
      address: GATEWAY,
      target: {
        kind: 'gateway',
        namespace: 'shop',
        service: 'edge',
        labels: { 'gateway.networking.k8s.io/gateway-name': 'edge', edge: 'yes' },
        ports: [{ name: 'http', protocol: 'HTTP', service: 80, workload: EDGE }],
      },
    });
  });
  after(async () => {
    await target?.stop();
    await gateway?.stop();
    await stop?.();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  const grpc = (who: string, path: string): Call => {
    const to = { host: POD, port: GRPC };
    return { to, shown: callers.get(who) ?? 'plain', protocol: 'GRPC', method: 'POST', path };
  };

  it('gRPC methods are paths, and who is denied hears PERMISSION_DENIED', async () => {
    for (const [who, path, allowed] of [
      ['cart', '/shop.Orders/Get', true],
      ['cart', '/shop.Catalog/List', true],
      ['cart', '/shop.Orders/Delete', false],
      ['cart', '/shop.orders/get', false],
      ['web', '/shop.Orders/Get', false],
      ['nobody', '/shop.Orders/Get', false],
    ] as const) {
      const { reached, status, grpcStatus } = await send(grpc(who, path));
      assert.deepEqual(
        { reached, status, grpcStatus },
        { reached: allowed, status: 200, grpcStatus: allowed ? 0 : PERMISSION_DENIED },
      );
    }
  });

  it('a web socket is decided about before it opens', async () => {
    for (const [who, path, protocol, status] of [
      ['cart', '/live/1', 'WEBSOCKET', 101],
      ['partner', '/live/1', 'WEBSOCKET', 403],
      ['partner', '/other', 'WEBSOCKET', 101],
      ['partner', '/live/1', 'HTTP', 200],
      // Nobody is of no trust domain.
      ['nobody', '/live/1', 'WEBSOCKET', 403],
    ] as const) {
      const call: Call = { to: { host: POD, port: HTTP }, shown: callers.get(who) ?? 'plain', protocol, path };
      assert.equal((await send(call)).status, status, `${who} ${protocol} ${path}`);
    }
  });

  it('a gateway enforces what targets it, and believes as many proxies as there are', async () => {
    const ask = async (forwarded: string | undefined): Promise<number | undefined> => {
      const headers = { host: 'edge.example', ...(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }) };
      return (await send({ to: { host: GATEWAY, port: EDGE }, shown: 'plain', protocol: 'HTTP', path: '/', headers })).status;
    };
    assert.equal(await ask('203.0.113.9, 10.0.0.1'), 403, 'two proxies in front: the second from the right is the caller');
    assert.equal(await ask('203.0.113.9, 198.51.100.1, 10.0.0.1'), 200, 'what the caller tells of itself is not believed');
    assert.equal(await ask('198.51.100.1, 203.0.113.9'), 200);
  });

  it('what a DENY rule denied is counted under its name', async () => {
    const admin = readFileSync(join(folder, 'gateway', 'admin.txt'), 'utf8');
    const answer = await fetch(`http://${admin}/stats?filter=policy`);
    assert.match(await answer.text(), /\.rbac\.policy\.ns\[shop\]-policy\[edge\]-rule\[0\]\.denied: 1\n/);
  });
});

const EDGE_OBJECTS = [
  policy('edge', {
    targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }],
    action: 'DENY',
    rules: [{ from: [{ source: { remoteIpBlocks: ['203.0.113.0/24'] } }] }],
  }),
  // Of another gateway, of another namespace, and of what only waypoints stand for: none of them decides here.
  policy('other', {
    targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'other' }],
    action: 'DENY',
    rules: [{}],
  }),
  policy(
    'elsewhere',
    { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }], action: 'DENY', rules: [{}] },
    'other',
  ),
  policy('service', { targetRefs: [{ kind: 'Service', name: 'edge' }], action: 'DENY', rules: [{}] }),
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'edge', namespace: 'shop' },
    spec: { selector: { edge: 'yes' }, servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }] },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'edge', namespace: 'shop' },
    spec: {
      hosts: ['edge.example'],
      gateways: ['edge'],
      http: [{ route: [{ destination: { host: 'web', port: { number: HTTP } } }] }],
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: HTTP }] },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
    spec: { containers: [{ name: 'app', ports: [{ containerPort: HTTP }] }] },
    status: { podIP: APPLICATION, phase: 'Running' },
  },
];
