// sessionPersistence of HTTPRoutes, as clients see it behind the real Envoy.
import assert from 'node:assert/strict';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { type Answer, call } from './envoy/call.ts';
import { document, EDGE, startEdge } from './envoy/gateway-api-edge.ts';
import { freePort, startUpstream, type Upstream } from './envoy/upstream.ts';

const ADDRESSES = ['127.23.81.1', '127.23.81.2', '127.23.81.3'] as const;

const pods = (port: number): string => `
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: edge}
spec: {selector: {app: app}, ports: [{name: http, port: 80, targetPort: ${port}}]}
${ADDRESSES.map(
  (address, at) => `---
apiVersion: v1
kind: Pod
metadata: {name: app-${at}, namespace: edge, labels: {app: app}}
spec: {containers: [{name: app, ports: [{containerPort: ${port}}]}]}
status: {podIP: ${address}, phase: Running}
`,
).join('')}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: app, namespace: edge}
spec: {host: app, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}
`;

describe('sessions of the Gateway API in the real Envoy', function () {
  this.timeout(60_000);
  let port = 0;
  let edge: { close(): Promise<void> } | undefined;
  const upstreams = new Map<string, Upstream>();

  before(async function () {
    const envoy = envoyOrSkip(this);
    const own = await freePort();
    port = await freePort();
    for (const address of ADDRESSES) upstreams.set(address, await startUpstream(address, address, own));
    const to = 'backendRefs: [{name: app, port: 80}]';
    const rule = (matched: string, session: string) =>
      `{matches: [{path: {${matched}}}], ${to}${session === '' ? '' : `, sessionPersistence: {${session}}`}}`;
    const rules = [
      rule('value: /cookie', 'sessionName: stick'),
      rule('value: /lasting', 'sessionName: last, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}'),
      rule('value: /named', 'type: Cookie'),
      rule('type: RegularExpression, value: "/any/[0-9]+"', ''),
      rule('value: /header', 'type: Header, sessionName: x-session'),
      `{${to}}`,
    ];
    edge = await startEdge(
      envoy,
      document(
        'Gateway',
        'edge',
        'edge',
        `{gatewayClassName: gatehouse, listeners: [{name: http, port: ${port}, protocol: HTTP}]}`,
      ) +
        document('HTTPRoute', 'edge', 'app', `{parentRefs: [{name: edge}], rules: [${rules.join(', ')}]}`) +
        pods(own),
    );
  });
  after(async () => {
    await edge?.close();
    for (const one of upstreams.values()) await one.close();
  });

  const ask = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    call(undefined, EDGE, port, 'app.test', path, { headers });
  const serversOf = async (
    path: string,
    headers: Record<string, string>,
    count = 12,
  ): Promise<readonly (string | undefined)[]> => {
    const found = new Set<string | undefined>();
    for (let at = 0; at < count; at += 1) found.add((await ask(path, headers)).server);
    return [...found];
  };

  it('a client with the cookie stays with its server, others go around', async () => {
    const clients = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const first = await ask('/cookie/x');
        const [set = ''] = first.headers['set-cookie'] ?? [];
        assert.match(set, /^stick="?[^;]+"?;/);
        assert.match(set, /Path=\/cookie(;|$)/);
        assert.match(set, /HttpOnly/);
        assert.doesNotMatch(set, /Max-Age/);
        return { server: first.server, cookie: set.split(';')[0] ?? '' };
      }),
    );
    assert.ok(new Set(clients.map(({ server }) => server)).size > 1, 'all were sent to one');
    for (const { server, cookie } of clients) {
      assert.deepEqual(await serversOf('/cookie', { cookie }, 5), [server]);
      const again = await ask('/cookie', { cookie });
      assert.equal(again.headers['set-cookie'], undefined, 'it has its cookie');
    }
    assert.equal((await serversOf('/cookie', {})).length, 3);
  });

  it('a cookie that lasts, and one whose name is made of the route', async () => {
    const [lasting = ''] = (await ask('/lasting')).headers['set-cookie'] ?? [];
    assert.match(lasting, /^last=.*Max-Age=3600/);
    const [named = ''] = (await ask('/named')).headers['set-cookie'] ?? [];
    assert.match(named, /^gatehouse-session-[0-9a-f]{12}=/);
    assert.ok(!named.includes('edge'), 'the route is not told');
  });

  it('a header that the client repeats', async () => {
    const first = await ask('/header');
    const shown = first.headers['x-session'];
    assert.ok(typeof shown === 'string');
    assert.deepEqual(await serversOf('/header', { 'x-session': shown }), [first.server]);
    assert.equal((await serversOf('/header', {})).length, 3);
  });

  it('routes without it have no sessions', async () => {
    const { headers } = await ask('/any/1');
    assert.equal(headers['set-cookie'], undefined);
    const [set = ''] = (await ask('/cookie')).headers['set-cookie'] ?? [];
    assert.equal((await serversOf('/other', { cookie: set.split(';')[0] ?? '' })).length, 3);
  });

  it('forged sessions lead nowhere else: an address that is no server of the route, or none at all', async () => {
    const outside = Buffer.from('127.0.0.1:1').toString('base64');
    for (const cookie of [`stick="${outside}"`, 'stick=x', 'stick=']) {
      const found = await serversOf('/cookie', { cookie }, 6);
      assert.ok(
        found.every((one) => one !== undefined && upstreams.has(one)),
        `${cookie}: ${found.join()}`,
      );
    }
  });

  it('a server that is gone is replaced, and the session goes with the new one', async () => {
    const first = await ask('/header');
    const gone = upstreams.get(first.server ?? '');
    await gone?.close();
    upstreams.delete(first.server ?? '');
    const shown = String(first.headers['x-session']);
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask('/header', { 'x-session': shown })));
    assert.ok(
      answers.some(({ status }) => status === 200),
      answers.map(({ status }) => status).join(),
    );
  });
});
