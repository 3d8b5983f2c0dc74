// A root is replaced by another, and that one by a plugged-in one, under traffic; the control plane is killed in every phase.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRoot } from '../../ca/root/create.ts';
import { parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import type { Plan, RotationStatus } from '../../ca/rotation/rotation.ts';
import { askControlPlane } from '../../cli/serve/admin-client.ts';
import { eventually } from '../eventually.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { field, sendUntil, type Tally } from './load.ts';
import { startPair, throughClient } from './pair.ts';
import { get, type RunningMesh } from './running-mesh.ts';

interface Certs {
  readonly certificates: readonly {
    readonly ca_cert: readonly { readonly serial_number: string }[];
    readonly cert_chain: readonly { readonly serial_number: string }[];
  }[];
}

/** What a proxy trusts and presents now, by serial numbers. */
async function certificatesOf(mesh: RunningMesh, workload: string) {
  const { certificates }: Certs = JSON.parse(await mesh.admin(workload, '/certs'));
  return {
    roots: new Set(certificates.flatMap(({ ca_cert }) => ca_cert.map(({ serial_number }) => serial_number))),
    own: new Set(certificates.flatMap(({ cert_chain }) => cert_chain.slice(0, 1).map(({ serial_number }) => serial_number))),
  };
}

inBothCaptureModes('root rotation under traffic', (capture) => {
  let mesh: RunningMesh;
  let caDir: string;
  before('start a pair', async () => {
    mesh = await startPair(capture, ['--certificate-ttl', '30s']);
    caDir = join(mesh.ready.runDir, 'ca');
  });
  after(() => mesh?.stop());

  async function rotate(...args: readonly string[]): Promise<{ code: number; body: unknown; stderr: string }> {
    const { code, stdout, stderr } = await mesh.gatehouse('ca', 'rotate', '--ca-dir', caDir, ...args, '-o', 'json');
    return { code, stderr, body: stdout === '' ? undefined : JSON.parse(stdout) };
  }

  async function status(): Promise<RotationStatus> {
    const answer = await askControlPlane(caDir, 'GET', '/rotation');
    assert.ok(answer.kind === 'answer' && answer.status === 200, JSON.stringify(answer));
    return answer.body as RotationStatus;
  }

  /** Kills the control plane and waits for its successor. */
  async function kill(): Promise<void> {
    const before = (await mesh.status())?.pid;
    assert.ok(before !== undefined);
    process.kill(before, 'SIGKILL');
    await eventually('a new control plane', async () => {
      const now = await mesh.status().catch(() => undefined);
      return now !== undefined && now.pid !== before ? now : undefined;
    });
  }

  /** Advances as soon as nothing is in the way. */
  async function advance(to: RotationStatus['phase']): Promise<void> {
    let last: unknown;
    await eventually(
      `nothing in the way of ${to}`,
      async () => {
        const answer = await askControlPlane(caDir, 'GET', '/rotation/plan');
        last = answer;
        const plan = answer.kind === 'answer' ? (answer.body as { readonly plan: Plan }).plan : undefined;
        return plan?.ready === true ? true : undefined;
      },
      60_000,
    ).catch((error: unknown) => assert.fail(`${String(error)}: ${JSON.stringify(last)}`));
    const { code, stderr } = await rotate('--advance');
    assert.equal(code, 0, stderr);
    assert.equal((await status()).phase, to);
  }

  /** All traffic passes while `task` runs. */
  async function underTraffic(task: () => Promise<void>): Promise<Tally> {
    let done = false;
    const tally = sendUntil(
      {
        ...throughClient(mesh),
        name: (reply) => (reply.status === 200 && field(reply.body, 'upstream', 'target', 'status') === 200 ? 'ok' : undefined),
      },
      () => done,
    );
    try {
      await task();
    } finally {
      done = true;
    }
    return tally;
  }

  async function wholeRotation(from: readonly string[]): Promise<void> {
    const before = await status();
    assert.equal(before.phase, 'steady');
    const oldRoot = readFileSync(join(caDir, 'root-cert.pem'), 'utf8');
    const prepared = await rotate('--prepare', ...from);
    assert.equal(prepared.code, 0, prepared.stderr);
    await kill();
    assert.equal((await status()).phase, 'prepared');
    await advance('active');
    await kill();
    assert.equal((await status()).phase, 'active');
    await advance('retiring');
    await kill();
    assert.equal((await status()).phase, 'retiring');
    await advance('steady');
    const after = await status();
    assert.equal(after.revoked.length, before.revoked.length + 1);
    const root = new X509Certificate(readFileSync(join(caDir, 'root-cert.pem')));
    assert.notEqual(root.toString(), oldRoot);
    assert.deepEqual(after.roots[0]?.sha256, [root.fingerprint256]);
    assert.equal(existsSync(join(caDir, 'ca-key.pem')), false, 'the key of the first root is still there');
    const serial = root.serialNumber.toLowerCase();
    for (const workload of ['pair/client', 'pair/server']) {
      await eventually(`${workload} trusts the new root only`, async () => {
        const { roots } = await certificatesOf(mesh, workload);
        return roots.size === 1 && roots.has(serial) ? true : undefined;
      });
    }
  }

  it('self-signed to self-signed, killed with -9 in every phase: not one request fails', async function () {
    this.timeout(240_000);
    const first = await certificatesOf(mesh, 'pair/server');
    const tally = await underTraffic(() => wholeRotation([]));
    assert.deepEqual(tally.failures.slice(0, 5), [], mesh.log());
    const last = await certificatesOf(mesh, 'pair/server');
    for (const serial of [...first.own, ...first.roots]) assert.ok(!last.own.has(serial) && !last.roots.has(serial), serial);
  });

  it('and on to a plugged-in root', async function () {
    this.timeout(240_000);
    const trustDomain = parseTrustDomain('cluster.local');
    assert.ok(trustDomain.ok);
    const made = await createRoot(trustDomain.value, new Date());
    const from = join(mesh.dir, 'cacerts');
    mkdirSync(from);
    writeFileSync(join(from, 'ca-key.pem'), made.keyPem, { mode: 0o600 });
    for (const name of ['ca-cert.pem', 'root-cert.pem']) writeFileSync(join(from, name), made.certificatePem);
    const tally = await underTraffic(() => wholeRotation(['--from', from]));
    assert.deepEqual(tally.failures.slice(0, 5), [], mesh.log());
    assert.equal(readFileSync(join(caDir, 'root-cert.pem'), 'utf8'), made.certificatePem);
  });

  it('goes back from active, and the metrics say where it is', async function () {
    this.timeout(120_000);
    assert.equal((await rotate('--prepare')).code, 0);
    await advance('active');
    const metrics = (await get(mesh.ready.controlPlane.http, '/metrics')).body;
    assert.match(metrics, /gatehouse_root_rotation_phase\{phase="active"\} 1/);
    assert.equal(metrics.match(/^gatehouse_root_certificate_expiry_timestamp_seconds\{/gm)?.length, 2);
    assert.equal((await rotate('--rollback')).code, 0);
    assert.equal((await status()).phase, 'prepared');
  });
});
