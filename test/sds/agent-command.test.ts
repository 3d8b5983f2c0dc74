import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminGet } from '../../sds/envoy/admin.ts';
import { eventually } from '../eventually.ts';
import { adsService, echoListener } from './ads.ts';
import { TestAuthority } from './authority.ts';
import { freePort } from './free-port.ts';
import { envoyBinary, running, RunningAgent, testFolder, writeConfig } from './running-agent.ts';

const CART = { namespace: 'shop', serviceAccount: 'cart', pod: 'cart-0', ip: '127.0.0.1', tokenFile: 'token' };

describe('sds: the agent with the command of its Envoy (gatehouse agent -- envoy …)', function () {
  this.timeout(60_000);
  let authority: TestAuthority;
  let agent: RunningAgent | undefined;
  let folder: string;
  let port: number;

  beforeEach(async () => {
    folder = testFolder();
    port = await freePort();
    authority = await TestAuthority.start([adsService(() => echoListener(port, false), [])]);
    writeFileSync(join(folder, 'root.pem'), authority.rootPem);
    writeFileSync(join(folder, 'token'), 'a.b.c\n');
  });
  afterEach(async () => {
    await agent?.stop();
    agent?.remove();
    agent = undefined;
    authority.down();
  });

  const config = (workloads: readonly Record<string, unknown>[] = [CART]) => ({
    controlPlane: { address: authority.address, serverName: 'gatehouse', rootCert: 'root.pem' },
    runDir: 'run',
    workloads,
  });
  const start = (command: readonly string[], workloads?: readonly Record<string, unknown>[]): RunningAgent => {
    agent = RunningAgent.start(folder, config(workloads), process.env, command);
    return agent;
  };
  /** A program that writes its arguments down and does as told. */
  const script = (body: string): string => {
    const path = join(folder, 'program');
    writeFileSync(path, `#!/bin/sh\necho "$@" > ${join(folder, 'args')}\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  it('runs it with the bootstrap and its own arguments, log on stderr, and ends it on SIGTERM', async function () {
    const binary = envoyBinary(this);
    const started = start([binary, '--log-level', 'info', '--concurrency', '2']);
    const { adminSocket = '' } = await started.event('ready');
    assert.match((await adminGet(adminSocket, '/server_info')).body, /"concurrency": 2/);
    assert.match(started.stderr, /starting main dispatch loop/);
    assert.equal(existsSync(join(folder, 'run', 'shop.cart-0', 'envoy.log')), false);
    await started.event('issued');
    const { pid } = await started.event('started');
    assert.equal(await started.stop(), 0);
    assert.equal(running(pid), false);
    assert.equal(started.all('exit')[0]?.reason, 'stopped by the agent');
  });

  it('ends with it: kill -9 of Envoy gives 137, as a shell would', async function () {
    const started = start([envoyBinary(this)]);
    const { pid } = await started.event('ready');
    assert.ok(pid);
    process.kill(pid, 'SIGKILL');
    assert.equal(await started.ended, 137);
    const [exit] = started.all('exit');
    assert.deepEqual([exit?.signal, exit?.restartMs, started.all('started').length], ['SIGKILL', undefined, 1]);
  });

  it('gives its exit code, and the bootstrap after its own arguments', async () => {
    const started = start([script('exit 3'), '--one', 'two words']);
    assert.equal(await started.ended, 3);
    const args = readFileSync(join(folder, 'args'), 'utf8');
    assert.match(args, /^--one two words -c \S+\/run\/shop\.cart-0\/envoy\.json --disable-hot-restart --concurrency 1 /);
    assert.doesNotMatch(args, /--log-path/);
  });

  it('gives 127 where it cannot be run', async () => {
    const started = start([join(folder, 'no-such-envoy')]);
    assert.equal(await started.ended, 127);
    assert.match(started.all('exit')[0]?.reason ?? '', /ENOENT/);
  });

  it('starts it anew when the configuration changes, and goes on', async () => {
    const started = start([script('trap "exit 0" TERM; while :; do sleep 0.05; done')]);
    const { pid } = await started.event('started');
    await eventually('its arguments', () => existsSync(join(folder, 'args')));
    writeConfig(folder, config([{ ...CART, labels: { version: 'v2' } }]));
    const second = await started.event('started', (event) => event.pid !== pid);
    assert.equal(running(second.pid), true);
    assert.equal(await started.stop(), 0);
    assert.equal(running(second.pid), false);
  });

  it('needs one workload, and writes the bootstrap itself', async () => {
    const two = start(['envoy'], [CART, { ...CART, pod: 'cart-1' }]);
    assert.equal(await two.ended, 1);
    assert.match(two.stderr, /workloads: there must be one workload/);
    const none = start(['envoy'], [{ ...CART, envoy: false }]);
    assert.equal(await none.ended, 1);
    assert.match(none.stderr, /envoy: is false, but its command is given/);
    const own = start(['envoy', '--config-path=mine.json']);
    assert.equal(await own.ended, 2);
    assert.match(own.stderr, /leave out --config-path=mine\.json: the agent writes the bootstrap/);
  });
});
