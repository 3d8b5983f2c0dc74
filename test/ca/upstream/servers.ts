import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, calculateJwkThumbprint } from 'jose';
import { freePort } from '../../../cli/up/free-port.ts';
import { callJson, record } from '../../../ca/upstream/https.ts';
import { stepUpstream } from '../../../ca/upstream/step.ts';
import type { Upstream } from '../../../ca/upstream/upstream.ts';
import { vaultEndpoint, vaultUpstream } from '../../../ca/upstream/vault.ts';
import { testAuthority } from './certificates.ts';

/** A real server that runs for a test. */
export interface RunningUpstream {
  readonly upstream: Upstream;
  readonly url: URL;
  /** What its TLS certificate leads to. */
  readonly rootsFile: string;
  /** Its credential for us. */
  readonly secretFile: string;
  stop(): Promise<void>;
}

function secret(path: string, contents: string): string {
  writeFileSync(path, contents, { mode: 0o600 });
  return path;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Waits for a line that says that the server is there. @throws Error with its output when it ends before */
function line(child: ChildProcess, wanted: RegExp): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('no pipes');
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    for (const stream of [stdout, stderr])
      createInterface({ input: stream }).on('line', (text) => {
        said.push(text);
        if (wanted.test(text)) resolve(text);
      });
    child.once('exit', () => reject(new Error(`it ended: ${said.join('\n')}`)));
    child.once('error', reject);
  });
}

const TIMEOUT_MS = 5_000;

/** Vault's core and PKI engine, initialized, with a root and a token that may do nothing but have intermediates signed. */
export async function startVault(program: string, dir: string): Promise<RunningUpstream> {
  const tlsRoot = await testAuthority({ name: 'vault tls' });
  const server = await testAuthority({ name: 'vault', issuer: tlsRoot, ca: false, ips: ['127.0.0.1'] });
  const rootsFile = join(dir, 'vault-tls.pem');
  writeFileSync(rootsFile, tlsRoot.pem);
  writeFileSync(join(dir, 'vault.crt'), server.pem);
  const key = secret(join(dir, 'vault.key'), server.keyPem);
  const child = spawn(program, ['127.0.0.1:0', join(dir, 'vault.crt'), key], { stdio: ['ignore', 'pipe', 'pipe'] });
  const url = new URL(`https://${await line(child, /^127\.0\.0\.1:\d+$/)}/`);
  let token = '';
  const call = async (path: string, body: unknown) => {
    const answered = await callJson(
      { method: 'POST', url: new URL(`/v1/${path}`, url), headers: { 'x-vault-token': token }, body },
      { rootsPem: tlsRoot.pem, timeoutMs: 20_000 },
    );
    if (!answered.ok && !/status 204|no JSON/.test(answered.refusal.reason)) throw new Error(answered.refusal.reason);
    return answered.ok ? record(answered.value) : {};
  };
  const { keys, root_token: rootToken } = await call('sys/init', { secret_shares: 1, secret_threshold: 1 });
  await call('sys/unseal', { key: Array.isArray(keys) ? keys[0] : '' });
  token = String(rootToken);
  await call('sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '87600h' } });
  await call('pki/root/generate/internal', { common_name: 'vault root', key_type: 'ec', key_bits: 256, ttl: '8760h' });
  await call('sys/policies/acl/gatehouse', { policy: 'path "pki/root/sign-intermediate" { capabilities = ["update"] }' });
  const { auth } = await call('auth/token/create', { policies: ['gatehouse'], ttl: '1h' });
  const secretFile = secret(join(dir, 'vault-token'), `${String(record(auth)['client_token'])}\n`);
  const options = { endpoint: vaultEndpoint(url), tokenFile: secretFile, rootsPem: tlsRoot.pem, timeoutMs: TIMEOUT_MS };
  return { upstream: vaultUpstream(options), url, rootsFile, secretFile, stop: () => ended(child) };
}

/** The template of docs/ca.md: the only thing that makes a step-ca provisioner give intermediates. */
const TEMPLATE = `{
  "subject": {{ toJson .Subject }},
  "sans": {{ toJson .SANs }},
  "keyUsage": ["certSign", "crlSign"],
  "basicConstraints": { "isCA": true, "maxPathLen": 0 }
}`;

/** step-ca with an intermediate of its own, and a JWK provisioner for us. */
export async function startStep(program: string, dir: string, port?: number): Promise<RunningUpstream> {
  const root = await testAuthority({ name: 'step root' });
  const issuing = await testAuthority({ name: 'step intermediate', issuer: root, pathLength: 1 });
  const provisioner = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const publicJwk = await exportJWK(provisioner.publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  const at = (name: string) => join(dir, name);
  const secretFile = secret(at('provisioner.json'), JSON.stringify(await exportJWK(provisioner.privateKey)));
  writeFileSync(at('step-root.pem'), root.pem);
  writeFileSync(at('step-int.pem'), issuing.pem);
  const address = `127.0.0.1:${port ?? (await freePort(['127.0.0.1']))}`;
  const configuration = {
    root: at('step-root.pem'),
    crt: at('step-int.pem'),
    key: secret(at('step-int.key'), issuing.keyPem),
    address,
    dnsNames: ['127.0.0.1'],
    logger: { format: 'text' },
    db: { type: 'badgerv2', dataSource: at('step-db') },
    authority: {
      provisioners: [
        {
          type: 'JWK',
          name: 'gatehouse',
          key: { ...publicJwk, kid, alg: 'ES256', use: 'sig' },
          claims: { minTLSCertDuration: '5s', maxTLSCertDuration: '2160h', defaultTLSCertDuration: '720h' },
          options: { x509: { template: TEMPLATE } },
        },
      ],
    },
  };
  writeFileSync(at('ca.json'), JSON.stringify(configuration));
  chmodSync(at('ca.json'), 0o600);
  const child = spawn(program, [at('ca.json')], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, STEPPATH: dir } });
  await line(child, /Serving HTTPS/);
  const url = new URL(`https://${address}`);
  const options = { server: url, provisioner: 'gatehouse', keyFile: secretFile, rootsPem: root.pem, timeoutMs: TIMEOUT_MS };
  return {
    upstream: stepUpstream({ ...options, clock: () => new Date() }),
    url,
    rootsFile: at('step-root.pem'),
    secretFile,
    stop: () => ended(child),
  };
}
