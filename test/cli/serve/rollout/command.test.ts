// `gatehouse rollout` against the admin socket, as its users run it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { pino } from 'pino';
import { rolloutCommand } from '../../../../cli/rollout.ts';
import { type AdminSocket, startAdminSocket } from '../../../../cli/serve/admin-socket.ts';
import { rolloutMetrics } from '../../../../cli/serve/rollout/metrics.ts';
import { rolloutRoutes } from '../../../../cli/serve/rollout/routes.ts';
import { Registry } from 'prom-client';
import { call, Place, START } from './place.ts';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** In this process, with what it writes caught: a process for each takes seconds on a busy machine. */
async function gatehouse(...args: readonly string[]): Promise<Outcome> {
  const command = rolloutCommand();
  const all = [command, ...command.commands];
  let [out, err] = ['', ''];
  const { stdout, stderr } = process;
  const [writeOut, writeErr] = [stdout.write.bind(stdout), stderr.write.bind(stderr)];
  const before = process.exitCode;
  process.exitCode = 0;
  stdout.write = (text: string | Uint8Array) => ((out += String(text)), true);
  stderr.write = (text: string | Uint8Array) => ((err += String(text)), true);
  try {
    for (const one of all) one.exitOverride();
    await command.parseAsync(args, { from: 'user' });
    return { code: process.exitCode, stdout: out, stderr: err };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { code: error.exitCode === 0 ? 0 : 2, stdout: out, stderr: err };
  } finally {
    stdout.write = writeOut;
    stderr.write = writeErr;
    process.exitCode = before;
  }
}

describe('gatehouse rollout', function () {
  this.timeout(90_000);
  let place: Place;
  let socket: AdminSocket;
  const run = (...args: readonly string[]): Promise<Outcome> => gatehouse(...args, '--ca-dir', place.ca);
  before(async () => {
    place = new Place(undefined, {}, {});
    socket = await startAdminSocket(place.ca, [rolloutRoutes(place.rollouts)], pino({ level: 'silent' }));
  });
  after(async () => {
    await socket.close();
    await place.close();
  });

  const narrow = (text: string): void => {
    for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
  };

  it('status and plan: what holds it, who would be cut off, in 100 columns', async () => {
    place.calls = [call(), call({ principal: undefined, address: '10.1.2.3', caller: undefined, mtls: false, count: 7 })];
    const all = await run('status');
    assert.equal(all.code, 0, all.stderr);
    assert.match(
      all.stdout,
      /^NAMESPACE +STAGE +FOR +TARGET +ADVANCE +NEXT +GATES +HELD BY\nshop +observe .* strict +\d\/\d +plain-text\n$/,
    );
    const one = await run('status', 'shop');
    assert.match(one.stdout, /NOT {2}plain-text/);
    const plan = await run('plan', 'shop');
    assert.equal(plan.code, 1, `something holds it ${plan.stderr}`);
    assert.match(plan.stdout, /create +PeerAuthentication shop\/rollout-strict/);
    assert.match(
      plan.stdout,
      /These callers would be cut off:\n +CALLER .*\n +10\.1\.2\.3 +shop\/users:8080 +7 +\S+ +calls in plain text/,
    );
    for (const { stdout } of [all, one, plan]) narrow(stdout);
    const yaml = await run('plan', 'shop', '-o', 'yaml');
    assert.equal(yaml.code, 0);
    assert.match(yaml.stdout, /# not yet, plain-text: .*\n---\n[^]*kind: PeerAuthentication/);
    assert.equal(JSON.parse((await run('plan', 'shop', '-o', 'json')).stdout).cutOff.length, 1);
  });

  it('advance: refused with what holds it; by force only with a reason', async () => {
    const refused = await run('advance', 'shop');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /shop cannot enter strict yet\n {2}held by plain-text: .*10\.1\.2\.3[^]*rollout plan shop/);
    const wrong = await run('advance', 'shop', '--force');
    assert.deepEqual([wrong.code, /give --reason/.test(wrong.stderr)], [2, true]);
    const forced = await run('advance', 'shop', '--force', '--reason', 'the scanner moves on Monday');
    assert.equal(forced.code, 0, forced.stderr);
    assert.match(
      forced.stdout,
      /observe > strict {2}command by \S+: the scanner moves on Monday\n +not met, and overridden: plain-text/,
    );
    narrow(forced.stdout);
    const history = await run('history', 'shop');
    assert.match(history.stdout, /NOT {2}plain-text[^]*objects: PeerAuthentication shop\/rollout-strict/);
    narrow(history.stdout);
  });

  it('pause, resume, wait, rollback', async () => {
    assert.equal((await run('pause', 'shop', '--reason', 'release week')).code, 0);
    assert.match((await run('status', 'shop')).stdout, /, paused\n[^]*held by: paused by \S+: release week/);
    const late = await run('wait', 'shop', '--for', 'ready', '--timeout', '1s');
    assert.equal(late.code, 1);
    assert.match(late.stderr, /not ready after 1s: it is at strict\n {2}held by paused by/);
    assert.equal((await run('resume', 'shop')).code, 0);
    assert.equal((await run('wait', 'shop', '--for', 'stage=strict')).code, 0);
    const renewed = await run('renew', 'shop');
    assert.deepEqual([renewed.code, /made when it enters the dry run/.test(renewed.stderr)], [1, true], renewed.stderr);
    const back = await run('rollback', 'shop', '--reason', 'a drill', '-o', 'json');
    assert.equal(JSON.parse(back.stdout).stage, 'observe');
    assert.equal((await run('rollback', 'shop')).code, 1);
  });

  it('says what to do where there is nothing to ask', async () => {
    const none = await run('status', 'nowhere');
    assert.deepEqual([none.code, /gatehouse rollout plan nowhere -o yaml/.test(none.stderr)], [1, true]);
    const away = await gatehouse('status', '--ca-dir', join(place.dir, 'elsewhere'));
    assert.deepEqual([away.code, /no control plane runs on/.test(away.stderr)], [1, true]);
    const wrong = await run('wait', 'shop', '--for', 'christmas');
    assert.deepEqual([wrong.code, /write ready, applied or stage=STAGE/.test(wrong.stderr)], [2, true]);
    const help = await gatehouse('advance', '--help');
    assert.match(help.stdout, /Examples:/);
  });

  it('plans offline, from files and an audit store', async () => {
    const plan = await gatehouse('plan', 'shop', '-f', place.mesh, '--db', join(place.dir, 'none.db'));
    assert.equal(plan.code, 1);
    assert.match(plan.stdout, /audit store cannot be read/);
    assert.match(plan.stdout, /nothing is known of proxies/);
  });

  it('metrics say the stage, the gates and the steps', async () => {
    const registry = new Registry();
    rolloutMetrics(registry, place.rollouts);
    const text = await registry.metrics();
    assert.match(text, /gatehouse_rollout_stage\{namespace="shop",stage="observe"\} 1/);
    assert.match(text, /gatehouse_rollout_gate_met\{namespace="shop",gate="plain-text"\} 0/);
    assert.match(text, /gatehouse_rollout_transitions_total\{namespace="shop",to="observe",cause="rollback-command"\} 1/);
    assert.match(text, /gatehouse_rollout_broken\{namespace="shop"\} 0/);
    assert.ok(place.now >= START);
  });
});
