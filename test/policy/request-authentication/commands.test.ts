import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));

const MESH = `apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: login, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  jwtRules:
  - {issuer: https://login.example, audiences: [shop], jwksUri: 'https://user:password@keys.example/set?secret=1'}
  - {issuer: https://here.example, jwks: '{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b"}]}', outputPayloadToHeader: x-payload}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web, namespace: shop}
spec:
  rules: [{from: [{source: {requestPrincipals: ['*']}}]}]
`;

const TO = '{namespace: shop, labels: {app: web}, port: 8080}';
const REQUESTS = `- {name: good, destination: ${TO}, jwt: {issuer: https://login.example, subject: a, audiences: [shop]}}
- {name: audience, destination: ${TO}, jwt: {issuer: https://login.example, subject: a}}
- {name: issuer, destination: ${TO}, jwt: {issuer: https://other.example, subject: a}}
- {name: none, destination: ${TO}}
- {name: elsewhere, destination: {namespace: test, labels: {app: web}}, jwt: {issuer: https://other.example, subject: a}}
- {name: tcp, destination: {namespace: shop, labels: {app: web}, port: 8080, protocol: TCP}, jwt: {issuer: https://other.example}}
`;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('RequestAuthentication on the command line', function () {
  this.timeout(30_000);
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-tokens-'));
    writeFileSync(join(folder, 'mesh.yaml'), MESH);
    writeFileSync(join(folder, 'requests.yaml'), REQUESTS);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function gatehouse(...args: readonly string[]): Promise<Ended> {
    return new Promise((resolve) => {
      execFile(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });
  }
  const mesh = (): string => join(folder, 'mesh.yaml');

  it('policy check decides by issuer and audience, and says whose keys it has not', async () => {
    const { code, stdout, stderr } = await gatehouse(
      'policy',
      'check',
      '-f',
      mesh(),
      '--requests',
      join(folder, 'requests.yaml'),
      '-o',
      'json',
    );
    assert.equal(code, 0, stderr);
    const answers = JSON.parse(stdout) as {
      name: string;
      decision: string;
      policy: string | null;
      rule: number | null;
      reason: string;
    }[];
    const [good, audience, issuer, none, elsewhere, tcp] = answers;
    assert.equal(good?.decision, 'ALLOW');
    assert.deepEqual([audience?.decision, audience?.policy, audience?.rule], ['DENY', 'shop/login', null]);
    assert.match(audience?.reason ?? '', /^403: RequestAuthentication shop\/login .*shop/);
    assert.deepEqual([issuer?.decision, issuer?.policy], ['DENY', 'shop/login']);
    assert.match(issuer?.reason ?? '', /^401: .*https:\/\/other\.example.*RequestAuthentication shop\/login/);
    assert.equal(none?.decision, 'DENY');
    assert.match(none?.reason ?? '', /requestPrincipals/);
    assert.equal(elsewhere?.decision, 'ALLOW');
    assert.match(elsewhere?.reason ?? '', /no RequestAuthentication applies/);
    assert.doesNotMatch(tcp?.reason ?? '', /401|RequestAuthentication/);
    assert.match(
      stderr,
      /mesh\.yaml:\d+: warning: RequestAuthentication shop\/login spec\.jwtRules\[0\]: the keys of https:\/\/login\.example/,
    );
    assert.doesNotMatch(stderr, /here\.example|password|secret/);
  });

  it('policy check says nothing of keys where no request has a token', async () => {
    writeFileSync(join(folder, 'plain.yaml'), `- {destination: ${TO}}\n`);
    const { stderr } = await gatehouse('policy', 'check', '-f', mesh(), '--requests', join(folder, 'plain.yaml'));
    assert.doesNotMatch(stderr, /keys/);
  });

  it('compile --static has the filters inline, and fetches nothing', async () => {
    const { code, stdout, stderr } = await gatehouse('compile', '-f', mesh(), '--proxy', 'shop/web', '--static', '-o', 'json');
    assert.equal(code, 0, stderr);
    const filters = [...stdout.matchAll(/"name": "(gatehouse\.jwt_output|envoy\.filters\.http\.jwt_authn)"/g)].map(
      ([, name]) => name,
    );
    assert.deepEqual([...new Set(filters)], ['gatehouse.jwt_output', 'envoy.filters.http.jwt_authn']);
    assert.match(stdout, /gatehouse-nobody/);
    assert.match(stderr, /keys-not-known|the keys of https:\/\/login\.example/);
    assert.doesNotMatch(stdout + stderr, /password|secret/);
  });

  it('get and validate know the kind by its names', async () => {
    for (const name of ['requestauthentications', 'ra']) {
      const { code, stdout, stderr } = await gatehouse('get', name, '--dir', folder, '-n', 'shop');
      assert.equal(code, 0, stderr);
      assert.match(stdout, /login/);
    }
  });

  it('serve refuses a refresh that is no time', async () => {
    for (const wrong of ['48h']) {
      const { code, stderr } = await gatehouse('serve', '-f', mesh(), '--request-jwks-refresh', wrong);
      assert.equal(code, 2);
      assert.match(stderr, /--request-jwks-refresh: .* is not between 1s and 24h/);
    }
  });
});
