import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { startApplication } from '../envoy/application.ts';
import { type Outcome, send } from '../envoy/caller.ts';
import type { RunningTarget, Target } from '../envoy/target.ts';
import { keySet } from '../../../policy/request-authentication/key-set.ts';
import { startPoliced } from './policed.ts';
import { type TokenIssuer, tokenIssuer } from './tokens.ts';

const NET = `127.${10 + (process.pid % 60)}.${(process.pid >> 6) % 256}`;
const APPLICATION = `${NET}.250`;
const PORT = 18080;

const BACKEND = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'b', namespace: 'shop' },
    spec: { selector: { app: 'b' }, ports: [{ name: 'http', port: 80, targetPort: PORT }] },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'b', namespace: 'shop', labels: { app: 'b' } },
    spec: { containers: [{ name: 'app', ports: [{ containerPort: PORT }] }] },
    status: { podIP: APPLICATION, phase: 'Running' },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'front', namespace: 'edge' },
    spec: { selector: { app: 'gw' }, servers: [{ port: { number: 8080, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }] },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'front', namespace: 'edge' },
    spec: { hosts: ['*'], gateways: ['front'], http: [{ route: [{ destination: { host: 'b.shop.svc.cluster.local' } }] }] },
  },
];

describe('RequestAuthentication in the real Envoy, elsewhere', function () {
  this.timeout(60_000);
  let envoy = '';
  let folder = '';
  let authority: TestAuthority;
  let stopApplication: (() => Promise<void>) | undefined;
  let a: TokenIssuer;
  let count = 0;
  const running: RunningTarget[] = [];

  before(async function () {
    envoy = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-tokens-'));
    authority = await TestAuthority.create();
    a = await tokenIssuer('https://a.test');
    stopApplication = await startApplication(APPLICATION, [
      { port: PORT, protocol: 'HTTP' },
      { port: 17070, protocol: 'GRPC' },
      { port: 19090, protocol: 'TCP' },
    ]);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
  });
  after(async () => {
    await stopApplication?.();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  async function start(target: Target, objects: readonly object[], amend?: (config: object) => object): Promise<string> {
    count += 1;
    const address = `${NET}.${count}`;
    const options = { envoy, folder, target, address, application: APPLICATION, authority, objects };
    running.push(await startPoliced({ ...options, ...(amend === undefined ? {} : { amend }) }));
    return address;
  }

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const authentication = (namespace: string, spec: object): object => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: 'a', namespace },
    spec,
  });

  for (const [how, attached] of [
    ['selected by label', { selector: { matchLabels: { app: 'gw' } } }],
    ['by targetRefs', { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge-gw' }] }],
  ] as const) {
    it(`verifies tokens at a gateway ${how}`, async () => {
      const jwtRules = [{ issuer: a.issuer, jwks: a.jwks, outputClaimToHeaders: [{ header: 'x-sub', claim: 'sub' }] }];
      const target: Target = {
        kind: 'gateway',
        namespace: 'edge',
        service: 'gw',
        labels: { app: 'gw', 'gateway.networking.k8s.io/gateway-name': 'edge-gw' },
        ports: [{ name: 'http', protocol: 'HTTP', service: 8080, workload: 8080 }],
      };
      const host = await start(target, [...BACKEND, authentication('edge', { ...attached, jwtRules })]);
      const ask = (headers: Record<string, string>): Promise<Outcome> =>
        send({ to: { host, port: 8080 }, shown: 'plain', protocol: 'HTTP', headers: { host: 'shop.test', ...headers } });
      assert.equal((await ask({})).status, 200);
      assert.equal((await ask({ 'x-sub': 'root' })).seen?.headers['x-sub'], undefined);
      const good = await ask(bearer(await a.sign({})));
      assert.equal(good.status, 200);
      assert.equal(good.seen?.headers['x-sub'], 'alice');
      assert.equal(good.seen?.headers['authorization'], undefined);
      assert.equal((await ask(bearer(await a.sign({ exp: 1 })))).status, 401);
    });
  }

  it('a rule without issuer takes tokens of any issuer that its keys verify', async () => {
    const target: Target = {
      kind: 'sidecar',
      namespace: 'shop',
      service: 'web',
      labels: { app: 'web' },
      ports: [{ name: 'http', protocol: 'HTTP', service: 80, workload: PORT }],
    };
    // The keys of an address, as if they had been fetched.
    const nobodys = JSON.stringify(keySet(undefined));
    const fetched = (config: object): object => {
      const text = JSON.stringify(config);
      assert.ok(text.includes(nobodys));
      return JSON.parse(text.replaceAll(nobodys, JSON.stringify(a.jwks))) as object;
    };
    const host = await start(target, [authentication('shop', { jwtRules: [{ jwksUri: 'https://keys.test/' }] })], fetched);
    const ask = (headers: Record<string, string>): Promise<Outcome> =>
      send({ to: { host, port: PORT }, shown: 'plain', protocol: 'HTTP', headers: { host: 'web', ...headers } });
    assert.equal((await ask(bearer(await a.sign({})))).status, 200);
    assert.equal((await ask(bearer(await a.sign({ iss: 'https://other.test' })))).status, 200);
    assert.equal((await ask(bearer(await (await tokenIssuer(a.issuer)).sign({})))).status, 401);
    assert.equal((await ask({})).status, 200);
  });

  it('looks at gRPC and web sockets, and not at TCP', async () => {
    const target: Target = {
      kind: 'sidecar',
      namespace: 'shop',
      service: 'web',
      labels: { app: 'web' },
      ports: [
        { name: 'http', protocol: 'HTTP', service: 80, workload: PORT },
        { name: 'grpc', protocol: 'GRPC', service: 70, workload: 17070 },
        { name: 'tcp', protocol: 'TCP', service: 90, workload: 19090 },
      ],
    };
    const jwtRules = [{ issuer: a.issuer, jwks: a.jwks, presence: 'REQUIRED' }];
    const host = await start(target, [authentication('shop', { jwtRules })]);
    const certificate = await authority.issue('spiffe://cluster.local/ns/shop/sa/caller');
    const call = (protocol: string, port: number, token?: string): Promise<Outcome> =>
      send({
        to: { host, port },
        shown: certificate,
        protocol,
        method: protocol === 'GRPC' ? 'POST' : 'GET',
        headers: { host: 'web', ...(token === undefined ? {} : bearer(token)) },
      });
    const token = await a.sign({});
    for (const [protocol, port] of [
      ['GRPC', 17070],
      ['WEBSOCKET', PORT],
      ['HTTP', PORT],
    ] as const) {
      assert.equal((await call(protocol, port, token)).reached, true, protocol);
      const refused = await call(protocol, port);
      assert.equal(refused.reached, false, protocol);
      // gRPC: 16 is UNAUTHENTICATED.
      assert.ok(protocol === 'GRPC' ? refused.grpcStatus === 16 : refused.status === 401, protocol);
    }
    assert.equal((await call('TCP', 19090)).reached, true);
  });
});
