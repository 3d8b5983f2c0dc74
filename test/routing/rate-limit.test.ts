import assert from 'node:assert/strict';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { type GatewayMesh, startGatewayMesh } from './envoy/gateway-mesh.ts';

/** A time in which no bucket fills again. */
const NEVER = '24h';

const RULES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: all, namespace: default}
spec: {hosts: ["*"], gateways: [gateway], http: [{route: [{destination: {host: app, port: {number: 8000}}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: denied, namespace: istio-system}
spec: {action: DENY, rules: [{to: [{operation: {hosts: ["*"], notPaths: ["/open/*"], methods: [DELETE]}}]}]}
---
apiVersion: gatehouse.dev/v1alpha1
kind: RateLimit
metadata: {name: ingress, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  limits:
  - {name: exact, requests: 2, per: ${NEVER}, match: {uri: {exact: /exact}}}
  - {name: regex, requests: 2, per: ${NEVER}, match: {uri: {regex: "/r/[0-9]|/s"}}}
  - {name: burst, requests: 1, per: ${NEVER}, burst: 5, match: {uri: {prefix: /burst}}}
  - {name: user, requests: 2, per: ${NEVER}, match: {uri: {prefix: /user}}, by: {header: x-user}}
  - {name: post, requests: 1, per: ${NEVER}, match: {uri: {prefix: /post}, method: {exact: POST}, headers: {x-trial: {}}}}
  - {name: host, requests: 1, per: ${NEVER}, match: {authority: {exact: busy.test}}}
  - {name: here, requests: 3, per: ${NEVER}, clientAddresses: [127.0.0.0/8], match: {uri: {prefix: /here}}}
  - {name: elsewhere, requests: 1, per: ${NEVER}, clientAddresses: [10.0.0.0/8, "2001:db8::/32"], match: {uri: {prefix: /here}}}
  - {name: arriving, requests: 2, per: ${NEVER}, match: {uri: {prefix: /guess}}, by: clientAddress}
  - {name: allowed, requests: 2, per: ${NEVER}, match: {uri: {prefix: /own}}}
  - {name: two-wide, requests: 4, per: ${NEVER}, match: {uri: {prefix: /both}}}
  - {name: two-narrow, requests: 2, per: ${NEVER}, match: {uri: {prefix: /both/narrow}}}
  - {name: many, requests: 1, per: ${NEVER}, match: {uri: {prefix: /many}}, by: {header: x-many}}
`;

describe('rate limits in the real Envoy, without a control plane', () => {
  let mesh: GatewayMesh;

  before(async function () {
    this.timeout(60_000);
    const envoy = envoyOrSkip(this);
    mesh = await startGatewayMesh(envoy, RULES);
  });
  after(() => mesh?.close());

  const statuses = async (paths: readonly string[], headers: Record<string, string> = {}, method = 'GET', host = 'any.test') => {
    const found: number[] = [];
    for (const path of paths) found.push((await mesh.get(host, path, { headers, method })).status);
    return found;
  };

  it('an exact path, whatever the query; other paths have their own', async () => {
    assert.deepEqual(await statuses(['/exact', '/exact?a=1', '/exact', '/exact?b']), [200, 200, 429, 429]);
    assert.deepEqual(await statuses(['/exactly', '/exact/', '/other']), [200, 200, 200]);
  });

  it('an expression matches the whole path', async () => {
    assert.deepEqual(await statuses(['/r/1', '/s?x=/', '/r/2', '/s']), [200, 200, 429, 429]);
    assert.deepEqual(await statuses(['/r/12', '/ss', '/r/']), [200, 200, 200]);
  });

  it('a burst is what may come at once', async () => {
    assert.deepEqual(await statuses(Array<string>(7).fill('/burst')), [200, 200, 200, 200, 200, 429, 429]);
  });

  it('each value of a header has its own bucket, and those without it share one', async () => {
    const three = ['/user', '/user', '/user'];
    assert.deepEqual(await statuses(three, { 'x-user': 'alice' }), [200, 200, 429]);
    assert.deepEqual(await statuses(three, { 'x-user': 'bob' }), [200, 200, 429]);
    assert.deepEqual(await statuses(three), [200, 200, 429]);
    assert.deepEqual(await statuses(three, { 'x-user': '' }), [200, 200, 429]);
  });

  it('method and headers: all must hold', async () => {
    const trial = { 'x-trial': 'any' };
    assert.deepEqual(await statuses(['/post', '/post'], trial), [200, 200]);
    assert.deepEqual(await statuses(['/post', '/post'], {}, 'POST'), [200, 200]);
    assert.deepEqual(await statuses(['/post', '/post'], trial, 'POST'), [200, 429]);
  });

  it('the host', async () => {
    assert.deepEqual(await statuses(['/x', '/y'], {}, 'GET', 'busy.test'), [200, 429]);
    assert.deepEqual(await statuses(['/x'], {}, 'GET', 'BUSY.test:8080'), [429]);
    assert.deepEqual(await statuses(['/x', '/x'], {}, 'GET', 'busyXtest'), [200, 200]);
    assert.deepEqual(await statuses(['/x', '/y'], {}, 'GET', 'calm.test'), [200, 200]);
  });

  it('blocks of addresses; what the client itself says of its address counts for nothing', async () => {
    const forged = { 'x-forwarded-for': '10.1.1.1' };
    assert.deepEqual(await statuses(['/here', '/here', '/here', '/here'], forged), [200, 200, 200, 429]);
  });

  it('by address what arrives counts, denied or not; otherwise what policies let through', async () => {
    assert.deepEqual(await statuses(['/guess', '/guess', '/guess'], {}, 'DELETE'), [403, 403, 429]);
    assert.deepEqual(await statuses(['/own', '/own', '/own'], {}, 'DELETE'), [403, 403, 403]);
    assert.deepEqual(await statuses(['/own', '/own', '/own']), [200, 200, 429]);
  });

  it('of two limits on a request both count', async () => {
    assert.deepEqual(await statuses(['/both/narrow', '/both/narrow', '/both/narrow']), [200, 200, 429]);
    assert.deepEqual(await statuses(['/both', '/both', '/both']), [200, 200, 429]);
  });

  it('values of a header by the hundred do not push each other out', async () => {
    for (let at = 0; at < 300; at += 1) assert.deepEqual(await statuses(['/many'], { 'x-many': `u${at}` }), [200]);
    assert.deepEqual(await statuses(['/many'], { 'x-many': 'u0' }), [429]);
  });

  it('tells when to come back, and gRPC in its own words', async () => {
    const { status, headers } = await mesh.get('any.test', '/exact');
    assert.equal(status, 429);
    assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/);
    const grpc = await mesh.get('any.test', '/exact', { headers: { 'content-type': 'application/grpc' }, method: 'POST' });
    // RESOURCE_EXHAUSTED (gRPC's status codes)
    assert.deepEqual([grpc.status, grpc.headers['grpc-status']], [200, '8']);
  });
});

describe('rate limits behind a trusted proxy', () => {
  let mesh: GatewayMesh;

  before(async function () {
    this.timeout(60_000);
    const envoy = envoyOrSkip(this);
    mesh = await startGatewayMesh(envoy, RULES, { numTrustedProxies: 1 });
  });
  after(() => mesh?.close());

  const from = async (addresses: readonly string[], path: string): Promise<readonly number[]> => {
    const found: number[] = [];
    for (const address of addresses)
      found.push((await mesh.get('any.test', path, { headers: { 'x-forwarded-for': address } })).status);
    return found;
  };

  it('the address is the one that the proxy in front tells', async () => {
    assert.deepEqual(await from(Array<string>(3).fill('198.51.100.7'), '/guess'), [200, 200, 429]);
    assert.deepEqual(await from(['198.51.100.8', '1.1.1.1, 198.51.100.7'], '/guess'), [200, 429]);
  });

  it('a network of IPv6 is one client', async () => {
    assert.deepEqual(await from(['2001:db9::1', '2001:db9::2', '2001:db9::ffff:3'], '/guess'), [200, 200, 429]);
    assert.deepEqual(await from(['2001:db9:0:1::1'], '/guess'), [200]);
  });

  it('blocks of both families share one bucket; addresses outside of them have none', async () => {
    assert.deepEqual(await from(['10.9.9.9', '2001:db8::7', '10.1.1.1'], '/here'), [200, 429, 429]);
    assert.deepEqual(await from(Array<string>(5).fill('192.0.2.1'), '/here'), [200, 200, 200, 200, 200]);
  });
});
