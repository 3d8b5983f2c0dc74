// Tokens of end users: keys fetched from a real server, rotated, and kept while the server is away.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { type TokenIssuer, tokenIssuer } from '../policy/request-authentication/tokens.ts';
import { get, type Reply, root, RunningMesh } from './running-mesh.ts';

const HOST = 'tokens.localhost';

/** A change of either drains connections. */
const CHANGED_LISTENERS = '/stats?filter=listener_manager.listener_(modified|in_place_updated)';

/** A login server: its OpenID configuration and its keys, which can be changed. */
class LoginServer {
  keys = '';
  asked = 0;
  #server: Server | undefined;
  #port = 0;

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.asked += 1;
      const found = request.url === '/keys' ? this.keys : `{"issuer":"${this.url}","jwks_uri":"${this.url}/keys"}`;
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(found);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async stop(): Promise<void> {
    this.#server?.close();
    if (this.#server !== undefined) await once(this.#server, 'close');
    this.#server = undefined;
  }
}

function policies(login: string): string {
  return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: tokens, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [${HOST}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: tokens, namespace: default}
spec:
  hosts: [${HOST}]
  gateways: [tokens]
  http:
  - route: [{destination: {host: myapp, port: {number: 9080}}}]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: users, namespace: default}
spec:
  selector: {matchLabels: {app: myapp}}
  jwtRules:
  - issuer: ${login}
    outputClaimToHeaders: [{header: x-user, claim: sub}]
  - issuer: https://away.test
    jwksUri: http://127.0.0.1:1/keys
    fromHeaders: [{name: x-away-token}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: users, namespace: default}
spec:
  selector: {matchLabels: {app: myapp}}
  rules:
  - from: [{source: {requestPrincipals: ["${login}/alice"]}}]
  - to: [{operation: {paths: [/open]}}]
`;
}

describe('tokens of end users', function () {
  this.timeout(120_000);
  const login = new LoginServer();
  let first: TokenIssuer;
  let second: TokenIssuer;
  let mesh: RunningMesh;

  before('start a mesh whose gateway passes tokens on', async () => {
    await login.start();
    first = await tokenIssuer(login.url, 'first');
    second = await tokenIssuer(login.url, 'second');
    login.keys = first.jwks;
    process.env['GATEHOUSE_REQUEST_JWKS_REFRESH'] = '1s';
    try {
      mesh = await RunningMesh.start([join(root, 'test', 'feature', 'meshes', 'echo')], 'explicit');
    } finally {
      delete process.env['GATEHOUSE_REQUEST_JWKS_REFRESH'];
    }
    await mesh.apply(policies(login.url), 'tokens.yaml');
  });
  after(async () => {
    await mesh?.stop();
    await login.stop();
  });

  const ask = (headers: Record<string, string>, path = '/users'): Promise<Reply> =>
    get(mesh.gateway, path, { host: HOST, ...headers });
  const asAlice = async (issuer: TokenIssuer): Promise<Record<string, string>> => ({
    authorization: `Bearer ${await issuer.sign({})}`,
  });
  const answers = async (issuer: TokenIssuer, status: number): Promise<void> => {
    const headers = await asAlice(issuer);
    await eventually(`${String(status)} for a token of the ${issuer === first ? 'first' : 'second'} key`, async () =>
      (await ask(headers)).status === status ? true : undefined,
    ).catch((error: Error) => assert.fail(`${error.message}\n${mesh.log()}`));
  };
  const metric = async (name: string): Promise<string> =>
    (await get(mesh.ready.controlPlane.http, '/metrics')).body
      .split('\n')
      .filter((line) => line.startsWith(name))
      .join('\n');

  it('keys found by the OpenID configuration verify tokens, and policies decide by them', async () => {
    // At once: the configuration that asks for tokens came with the keys.
    const reply = await ask({ ...(await asAlice(first)), 'x-user': 'mallory' });
    assert.equal(reply.status, 200);
    assert.match(reply.body, /"x-user":\s*"alice"/);
    assert.equal((await ask({ authorization: `Bearer ${await first.sign({ sub: 'bob' })}` })).status, 403);
    assert.equal((await ask({})).status, 403);
    assert.equal((await ask({}, '/open')).status, 200);
    assert.equal((await ask(await asAlice(second), '/open')).status, 401, 'a key that is not published');
  });

  it('tokens of an issuer without keys are refused; all else goes on', async () => {
    const away = await tokenIssuer('https://away.test');
    assert.equal((await ask({ 'x-away-token': await away.sign({}) }, '/open')).status, 401);
    assert.equal((await ask({}, '/open')).status, 200);
    assert.match(await metric('gatehouse_jwks_keys'), /127\.0\.0\.1:1\/keys"} 0/);
  });

  it('a rotation of keys reaches proxies without anybody doing anything, on open connections too', async () => {
    login.keys = JSON.stringify({ keys: [first.publicKey, second.publicKey] });
    await answers(second, 200);
    await answers(first, 200);
    login.keys = second.jwks;
    await answers(first, 401);
    await answers(second, 200);
  });

  it('a gateway verifies too, from the next request on, on connections that are open', async () => {
    const forged = { 'x-edge-user': 'mallory' };
    assert.match((await ask(forged, '/open')).body, /"x-edge-user":\s*"mallory"/);
    const listeners = await mesh.admin('istio-system/istio-ingressgateway', CHANGED_LISTENERS);
    assert.match(listeners, /listener_modified: \d/);
    await mesh.apply(
      `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  jwtRules:
  - issuer: ${login.url}
    forwardOriginalToken: true
    outputClaimToHeaders: [{header: x-edge-user, claim: sub}]
`,
      'edge.yaml',
    );
    await answers(second, 200);
    const reply = await ask({ ...forged, ...(await asAlice(second)) });
    assert.match(reply.body, /"x-edge-user":\s*"alice"/);
    assert.doesNotMatch((await ask(forged, '/open')).body, /mallory/);
    assert.equal((await ask({ authorization: 'Bearer a.b.c' }, '/open')).status, 401);
    assert.equal(await mesh.admin('istio-system/istio-ingressgateway', CHANGED_LISTENERS), listeners);
    await mesh.remove('edge.yaml');
  });

  it('keys stay in use while the server is away, even over a restart of the control plane', async () => {
    await login.stop();
    await eventually('a failed attempt', async () =>
      new RegExp(`${login.url}/"} [1-9]`).test(await metric('gatehouse_jwks_failures')) ? true : undefined,
    );
    await answers(second, 200);
    const { pid } = await eventually('control plane status', () => mesh.status());
    process.kill(pid, 'SIGKILL');
    await eventually('a new control plane that all proxies follow', async () => {
      const now = await mesh.status();
      return now !== undefined && now.pid !== pid && now.proxies.length >= 5 && now.proxies.every((one) => one.acknowledged > 0)
        ? true
        : undefined;
    });
    await mesh.settled();
    await answers(second, 200);
    assert.equal((await ask(await asAlice(first))).status, 401);
    login.keys = first.jwks;
    await login.start();
    await answers(first, 200);
  });
});
