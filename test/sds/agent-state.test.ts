// The state of an agent's workloads as its users see it: `gatehouse proxy secrets`, metrics, files.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { status } from '@grpc/grpc-js';
import type { AgentStatus } from '../../sds/agent/status.ts';
import { eventually } from '../eventually.ts';
import { adsService, echoListener } from './ads.ts';
import { TestAuthority } from './authority.ts';
import { freePort } from './free-port.ts';
import { envoyBinary, RunningAgent, testFolder } from './running-agent.ts';
import { SmallFileSystem } from './small-file-system.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PROGRAM = `import { proxyCommand } from ${JSON.stringify(pathToFileURL(join(root, 'cli', 'proxy.ts')).href)};
  await proxyCommand().parseAsync(process.argv.slice(1), { from: 'user' });`;

function proxySecrets(...args: readonly string[]): { readonly code: number | null; readonly out: string; readonly err: string } {
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', PROGRAM, '--', 'secrets', ...args];
  const done = spawnSync(process.execPath, flags, { encoding: 'utf8', cwd: root });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

describe('sds: the state of an agent', function () {
  this.timeout(60_000);
  let folder: string;
  let authority: TestAuthority;
  let metricsPort: number;
  const agents: RunningAgent[] = [];

  beforeEach(async () => {
    folder = testFolder();
    const port = await freePort();
    metricsPort = await freePort();
    authority = await TestAuthority.start([adsService(() => echoListener(port, false), [])]);
    authority.lifetimeMs = 600_000;
    writeFileSync(join(folder, 'root.pem'), authority.rootPem);
    writeFileSync(join(folder, 'token'), 'a.b.c\n');
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) {
      await agent.stop();
      agent.remove();
    }
    authority.down();
  });

  function start(more: Record<string, unknown> = {}, pods = ['cart-0']): RunningAgent {
    const workload = { namespace: 'shop', serviceAccount: 'cart', ip: '127.0.0.1', tokenFile: 'token', envoy: false, ...more };
    const agent = RunningAgent.start(folder, {
      controlPlane: { address: authority.address, rootCert: 'root.pem' },
      runDir: 'run',
      metricsAddress: `127.0.0.1:${metricsPort}`,
      envoy: process.env['GATEHOUSE_ENVOY'],
      workloads: pods.map((pod) => ({ ...workload, pod })),
    });
    agents.push(agent);
    return agent;
  }

  function state(): AgentStatus {
    const { code, out, err } = proxySecrets('--run-dir', join(folder, 'run'), '-o', 'json');
    assert.ok(code === 0 || code === 1, err);
    const parsed: AgentStatus = JSON.parse(out);
    return parsed;
  }

  async function metrics(): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
    assert.equal(answer.status, 200);
    return answer.text();
  }

  it('is told by gatehouse proxy secrets, as table and JSON, to the agent’s user only', async () => {
    const agent = start();
    const issued = await agent.event('issued');
    await agent.event('ready');
    const socket = join(folder, 'run', 'agent.sock');
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    const { roots, workloads } = state();
    const [only, extra] = workloads;
    assert.equal(extra, undefined);
    assert.equal(only?.workload, 'shop/cart-0');
    assert.equal(only.identity, 'spiffe://cluster.local/ns/shop/sa/cart');
    assert.equal(only.certificate?.serial, issued.serial);
    assert.equal(only.certificate.notAfter, issued.notAfter);
    const renewal = Date.parse(only.nextAttempt ?? '');
    assert.ok(renewal > Date.now() + 200_000 && renewal < Date.now() + 430_000, only.nextAttempt ?? 'none');
    assert.deepEqual([only.lastError, only.failuresInARow, only.files], [null, 0, null]);
    assert.deepEqual(only.accessLog, { messages: 0, bytes: 0, lost: 0 });
    assert.equal(roots.length, 1);
    const table = proxySecrets('--config', join(folder, 'agent.yaml'));
    assert.equal(table.code, 0, table.err);
    assert.ok(
      table.out.includes('shop/cart-0') && table.out.includes(issued.serial) && table.out.includes('in 9 min'),
      table.out,
    );
    assert.ok(!/PRIVATE|BEGIN/.test(table.out));
    await agent.stop();
    assert.ok(!existsSync(socket));
    const gone = proxySecrets('--run-dir', join(folder, 'run'));
    assert.equal(gone.code, 1);
    assert.match(gone.err, /no agent runs in .*--run-dir/);
    assert.equal(proxySecrets().code, 2);
  });

  it('shows the last error, in both places, and that it is over', async () => {
    authority.refuse = () => ({ code: status.PERMISSION_DENIED, details: 'not for you' });
    const agent = start();
    await agent.event('failed');
    const failing = proxySecrets('--run-dir', join(folder, 'run'));
    assert.equal(failing.code, 1);
    assert.match(failing.out, /PERMISSION_DENIED: not for you/);
    assert.match(await metrics(), /gatehouse_agent_failures_in_a_row\{workload="shop\/cart-0",[^}]*\} [1-9]/);
    authority.refuse = () => undefined;
    const issued = await agent.event('issued');
    const [workload] = state().workloads;
    assert.equal(workload?.failuresInARow, 0);
    assert.equal(workload.lastError?.code, 'PERMISSION_DENIED');
    const text = await metrics();
    assert.match(text, /^gatehouse_agent_workloads 1$/m);
    assert.match(text, /gatehouse_agent_certificates_total\{[^}]*\} 1$/m);
    const [, ends] = /gatehouse_agent_certificate_expiry_timestamp_seconds\{[^}]*\} (\S+)$/m.exec(text) ?? [];
    assert.equal(Number(ends) * 1000, Date.parse(issued.notAfter));
    assert.equal((await fetch(`http://127.0.0.1:${metricsPort}/status`)).status, 404);
  });

  it('shows that Envoy has accepted certificate and roots', async function () {
    envoyBinary(this);
    const agent = start({ envoy: {} });
    await agent.event('ready');
    await eventually('accepted', () => (state().workloads[0]?.acknowledged.certificate === true ? true : undefined));
    assert.equal(state().workloads[0]?.acknowledged.roots, true);
  });

  it('comes back within two seconds of an authority that was away for long', async () => {
    const agent = start({}, ['cart-0', 'cart-1', 'cart-2']);
    for (const workload of ['shop/cart-0', 'shop/cart-1', 'shop/cart-2'])
      await agent.event('issued', (event) => event.workload === workload);
    await agent.stop();
    // Certificates of 30 s: by then back-off has grown to seconds.
    authority.lifetimeMs = 30_000;
    authority.down();
    const second = start({}, ['cart-0', 'cart-1', 'cart-2']);
    await second.event('failed', ({ retryMs }) => (retryMs ?? 0) > 2500, 3, 40_000);
    await authority.up();
    const back = Date.now();
    for (const workload of ['shop/cart-0', 'shop/cart-1', 'shop/cart-2'])
      await second.event('issued', (event) => event.workload === workload);
    assert.ok(Date.now() - back < 2500, `${Date.now() - back} ms`);
  });

  it('writes files, and goes on rotating when they cannot be written', async () => {
    mkdirSync(join(folder, 'certs'), { mode: 0o700 });
    authority.lifetimeMs = 4000;
    const agent = start({ files: { dir: 'certs', reload: ['/bin/sh', '-c', `echo x >> ${join(folder, 'reloads')}`] } });
    await agent.event('written');
    const rotated = await agent.event('rotated');
    await agent.event('written', () => true, 2);
    await eventually('reloads', () => (readFileSync(join(folder, 'reloads'), 'utf8').length >= 4 ? true : undefined));
    assert.equal(state().workloads[0]?.files?.dir, join(folder, 'certs'));
    assert.equal(statSync(join(folder, 'certs', 'key.pem')).mode & 0o777, 0o600);
    // Writable by others: refused from now on.
    spawnSync('chmod', ['0777', join(folder, 'certs')]);
    const failed = await agent.event('failed', ({ code }) => code === 'FILES');
    assert.match(failed.reason, /writable by others/);
    const before = agent.all('rotated').length;
    await agent.event('rotated', ({ serial }) => serial !== rotated.serial, before + 1);
    spawnSync('chmod', ['0700', join(folder, 'certs')]);
    const written = agent.all('written').length;
    await agent.event('written', () => true, written + 1);
  });

  it('rotates on a full disk as if nothing were, and catches up on files', async function () {
    mkdirSync(join(folder, 'run'));
    const disk = new SmallFileSystem(this, join(folder, 'run'), '256k');
    try {
      authority.lifetimeMs = 4000;
      const agent = start({ files: { dir: 'run/certs' } });
      await agent.event('written');
      await agent.event('ready');
      disk.fill();
      const failed = await agent.event('failed', ({ code }) => code === 'FILES');
      assert.match(failed.reason, /ENOSPC/);
      await agent.event('rotated', () => true, agent.all('rotated').length + 2);
      assert.deepEqual(
        agent.all('failed').filter(({ code }) => code !== 'FILES'),
        [],
      );
      assert.equal(state().workloads[0]?.certificate?.expired, false);
      disk.free();
      await agent.event('written', () => true, agent.all('written').length + 1);
      await agent.stop();
    } finally {
      disk.unmount();
    }
  });
});
