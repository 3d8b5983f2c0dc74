import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { staticConfig } from '../../routing/static.ts';
import { TestAuthority } from '../audit/envoy/certificates.ts';
import { envoyPath } from '../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { secretFiles } from './envoy/secrets.ts';

const WORLD = fileURLToPath(new URL('./envoy/captured-world.ts', import.meta.url));
const POD = '10.9.0.1';
const VIRTUAL = '10.96.0.5';
const OTHER = '10.9.0.7';
const ENVOY_UID = 1337;

const mesh = (mode: string) => `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: ${VIRTUAL}
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8000}, {name: tcp, port: 90, targetPort: 8002}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, labels: {app: web, security.istio.io/tlsMode: istio}}
spec: {containers: [{name: app}]}
status: {podIP: ${POD}, phase: Running}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: default}
spec: {mtls: {mode: ${mode}}}
`;

const QUESTIONS = [
  ['http', VIRTUAL, 80],
  ['tcp', VIRTUAL, 90],
  ['http', POD, 8000],
  ['http', OTHER, 8000],
  ['tcp', OTHER, 8002],
  ['http', POD, 15_001],
  ['http', POD, 15_006],
] as const;

describe('a captured pod in the real Envoy', function () {
  this.timeout(60_000);
  let folder = '';

  before('network namespaces need root on Linux', function () {
    const able = process.platform === 'linux' && process.getuid?.() === 0 && envoyPath() !== undefined;
    if (able) return;
    if (process.env['CI'] !== undefined) throw new Error('network namespaces need root on Linux, and GATEHOUSE_ENVOY an Envoy');
    this.skip();
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function ask(mode: string): Promise<unknown> {
    const secrets = await secretFiles(await TestAuthority.create(), folder, 'spiffe://cluster.local/ns/default/sa/default');
    const config = staticConfig(compiledFor(snapshotOf(mesh(mode)), 'default/web'), {
      node: { id: 'test', cluster: 'test' },
      secrets,
      accessLog: { kind: 'none' },
      admin: { address: '127.0.0.1', port: 15_000 },
    });
    writeFileSync(join(folder, 'envoy.json'), JSON.stringify(config));
    for (const file of readdirSync(folder)) chownSync(join(folder, file), ENVOY_UID, ENVOY_UID);
    chownSync(folder, ENVOY_UID, ENVOY_UID);
    chmodSync(folder, 0o700);
    const input = JSON.stringify({ addresses: [POD, VIRTUAL, OTHER], httpPort: 8000, tcpPort: 8002, questions: QUESTIONS });
    const args = ['--net', process.execPath, '--disable-warning=ExperimentalWarning', WORLD, folder, envoyPath() ?? ''];
    return JSON.parse(execFileSync('unshare', args, { input, stdio: ['pipe', 'pipe', 'pipe'] }).toString());
  }

  const authenticated = (answers: unknown) => {
    assert.ok(Array.isArray(answers) && Array.isArray(answers[0]));
    const [[status, client], ...rest] = answers as [[number, string], ...unknown[]];
    assert.equal(status, 200);
    assert.match(client, /URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/default$/);
    return rest;
  };

  it('calls services over mutual TLS and, permissive, everything else in plain text', async () => {
    const rest = authenticated(await ask('PERMISSIVE'));
    assert.deepEqual(rest, ['hello, server', [200, null], [200, null], 'hello, server', 'closed', 'closed']);
  });

  it('refuses plain text under STRICT, on ports that nobody declares too', async () => {
    const rest = authenticated(await ask('STRICT'));
    assert.deepEqual(rest, ['hello, server', 'closed', 'closed', 'closed', 'closed', 'closed']);
  });
});
