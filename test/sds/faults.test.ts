import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { adsService, echoListener, type SeenStream } from './ads.ts';
import { TestAuthority } from './authority.ts';
import { eventually } from '../eventually.ts';
import { freePort } from './free-port.ts';
import { alive, envoyBinary, running, RunningAgent, testFolder, writeConfig } from './running-agent.ts';

function configOf(authority: TestAuthority, binary: string, envoy: unknown = {}): Record<string, unknown> {
  return {
    controlPlane: { address: authority.address, rootCert: 'root.pem' },
    runDir: 'run',
    envoy: binary,
    workloads: [{ namespace: 'shop', serviceAccount: 'cart', pod: 'cart-0', ip: '127.0.0.1', tokenFile: 'token', envoy }],
  };
}

function jwt(exp: number): string {
  return ['{"alg":"ES256"}', JSON.stringify({ exp }), 'x'].map((part) => Buffer.from(part).toString('base64url')).join('.');
}

describe('sds: what may go wrong for an agent', function () {
  this.timeout(60_000);
  let folder: string;
  let authority: TestAuthority;
  const streams: SeenStream[] = [];
  const agents: RunningAgent[] = [];

  beforeEach(async () => {
    folder = testFolder();
    streams.length = 0;
    const port = await freePort();
    authority = await TestAuthority.start([adsService(() => echoListener(port, false), streams)]);
    authority.lifetimeMs = 600_000;
    writeFileSync(join(folder, 'root.pem'), authority.rootPem);
    writeFileSync(join(folder, 'token'), 'a.b.c\n');
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) await agent.stop();
    authority.down();
    agents[0]?.remove();
  });

  function start(config: unknown, env?: NodeJS.ProcessEnv): RunningAgent {
    const agent = RunningAgent.start(folder, config, env);
    agents.push(agent);
    return agent;
  }

  it('does not start with a configuration it cannot use, and says where it is wrong', async () => {
    const agent = start({ ...configOf(authority, 'envoy'), runDIR: 'x' });
    assert.equal(await agent.ended, 1);
    assert.match(agent.stderr, /agent\.yaml:\d+: error: runDIR: unknown field \(did you mean runDir\?\)/);
    assert.deepEqual(agent.events, []);
  });

  it('tells what the authority said of an expired token, waits, and takes the renewed one', async () => {
    writeFileSync(join(folder, 'token'), jwt(1_700_000_000));
    authority.refuse = ({ token }) =>
      token === 'fresh.to.ken' ? undefined : { code: status.UNAUTHENTICATED, details: 'the token has expired' };
    const agent = start(configOf(authority, 'envoy', false));
    const failed = await agent.event('failed');
    assert.equal(failed.code, 'UNAUTHENTICATED');
    assert.match(failed.reason, /^the token has expired \(the token in the token file expired at 2023-11-14T22:13:20.000Z/);
    assert.ok(!JSON.stringify(agent.events).includes(jwt(1_700_000_000)) && !agent.stderr.includes(jwt(1_700_000_000)));
    writeFileSync(join(folder, 'token'), 'fresh.to.ken');
    await agent.event('issued');
  });

  it('does not talk to an authority under another root', async () => {
    const other = await TestAuthority.start();
    other.down();
    writeFileSync(join(folder, 'root.pem'), other.rootPem);
    const agent = start(configOf(authority, 'envoy', false));
    const failed = await agent.event('failed');
    assert.equal(failed.code, 'UNAVAILABLE');
    assert.equal(authority.calls, 0);
    writeFileSync(join(folder, 'root.pem'), authority.rootPem);
    await agent.event('issued');
  });

  it('says why Envoy does not start, and tries again more and more slowly', async function () {
    const config = configOf(authority, envoyBinary(this), { extraArgs: ['--component-log-level', 'nonsense:debug'] });
    const agent = start(config);
    const exit = await agent.event('exit', () => true, 3);
    assert.match(exit.reason, /nonsense/);
    const delays = agent.all('exit').map(({ restartMs }) => restartMs ?? 0);
    assert.ok((delays[0] ?? 0) <= 200 && (delays[2] ?? 0) >= 400, delays.join(' '));
  });

  it('says so when there is no such Envoy', async () => {
    const agent = start(configOf(authority, './no-such-envoy'));
    const exit = await agent.event('exit');
    assert.match(exit.reason, /no-such-envoy|ENOENT/);
    assert.ok((await agent.event('issued')).serial.length > 0);
  });

  it('starts Envoy anew when the agent before it ran it in another way', async function () {
    const config = configOf(authority, envoyBinary(this));
    const first = start(config);
    const { pid } = await first.event('ready');
    first.process.kill('SIGKILL');
    await first.ended;
    const second = start({ ...config, xds: 'sotw' });
    const started = await second.event('started');
    assert.equal(started.adopted, false);
    await eventually('the leftover is gone', () => (running(pid) ? undefined : true));
  });

  it('ends what an agent before it ran and it does not', async function () {
    const config = configOf(authority, envoyBinary(this));
    const first = start(config);
    const { pid } = await first.event('ready');
    first.process.kill('SIGKILL');
    await first.ended;
    const second = start({ ...config, workloads: [] });
    await second.event('config');
    await eventually('the leftover is gone', () => (running(pid) ? undefined : true));
  });

  it('refuses a second agent on the same run directory', async () => {
    const config = configOf(authority, 'envoy', false);
    const first = start(config);
    await first.event('ready');
    const second = start(config);
    assert.equal(await second.ended, 1);
    assert.match(second.stderr, /is in use by another agent, process \d+/);
    await first.stop();
    await start(config).event('ready');
  });

  it('reconnects Envoy within seconds after its control plane was away for long', async function () {
    const agent = start(configOf(authority, envoyBinary(this)));
    await agent.event('ready');
    authority.down();
    const away = Date.now() + 6000;
    await eventually('six seconds', () => (Date.now() > away ? true : undefined));
    await authority.up();
    const back = Date.now();
    await eventually('a second ADS stream', () => streams[1]);
    assert.ok(Date.now() - back < 4000, `${Date.now() - back} ms`);
    assert.ok(alive(agent.all('started')[0]?.pid));
  });

  it('keeps what runs when the file becomes unreadable or moves its roots', async () => {
    const config = configOf(authority, 'envoy', false);
    const agent = start(config);
    await agent.event('ready');
    writeFileSync(join(folder, 'agent.yaml'), '{{{');
    await agent.event('config-refused');
    writeConfig(folder, { ...config, controlPlane: { address: authority.address, rootCert: 'other.pem' } });
    const { diagnostics } = await agent.event('config-refused', () => true, 2);
    assert.match(diagnostics[0]?.message ?? '', /rootCert cannot change/);
    assert.equal(agent.all('stopped').length, 0);
  });
});
