// The controller of a rollout on a whole mesh: commands, a bad policy of somebody else taken back by itself, and its death in between.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { startPair, throughClient } from './pair.ts';
import { RolloutCommands, rolloutObject } from './rollout/command.ts';
import { FolderMesh } from './rollout/folder-mesh.ts';
import { SteadyTraffic } from './rollout/steady.ts';
import { get, type RunningMesh } from './running-mesh.ts';

const BAD = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: bad, namespace: pair}
spec:
  selector: {matchLabels: {app: server}}
  action: DENY
  rules:
  - from: [{source: {principals: [cluster.local/ns/pair/sa/client]}}]
`;

/** From the first refusal to the configuration without it, at every proxy. */
const LONGEST_MS = 10_000;

describe('a rollout’s controller on a whole mesh', function () {
  this.timeout(180_000);
  let mesh: RunningMesh;
  let rollout: RolloutCommands;
  let traffic: SteadyTraffic | undefined;
  let refusedAt: number | undefined;
  let lastRefusedAt: number | undefined;

  before('start a caller and a server', async () => {
    mesh = await startPair('explicit');
    rollout = new RolloutCommands(new FolderMesh(mesh), 'pair');
    const { address, path, headers, name } = throughClient(mesh);
    traffic = new SteadyTraffic([
      {
        name: 'client to server',
        ask: () => get(address, path, headers),
        works: (reply) => {
          const works = reply.status === 200 && name?.(reply) === '200';
          if (!works) {
            refusedAt ??= performance.now();
            lastRefusedAt = performance.now();
          }
          return works;
        },
      },
    ]);
  });
  after(async () => {
    await traffic?.stop();
    await mesh?.stop();
  });

  const unharmed = async (): Promise<void> => {
    assert.ok(traffic);
    const { worked } = traffic;
    await eventually('more traffic', () => ((traffic?.worked ?? 0) > worked + 3 ? true : undefined));
    assert.deepEqual(traffic.failures, [], mesh.log());
  };

  it('plans a namespace that has no NamespaceRollout, and prints the one to begin with', async () => {
    const plan = await rollout.run('plan');
    assert.match(plan.stdout, /has no NamespaceRollout. Begin with this one/, plan.stderr);
    const yaml = await rollout.run('plan', '-o', 'yaml');
    assert.match(yaml.stdout, /kind: NamespaceRollout/);
    const status = await rollout.run('status');
    assert.deepEqual([status.code, status.stdout], [1, '']);
    assert.match(status.stderr, /gatehouse rollout plan pair -o yaml/);
  });

  it('holds a step whose gates are not met, with the reason, and goes from stage to stage under traffic', async () => {
    await mesh.apply(rolloutObject({ namespace: 'pair', advance: 'Manual', observedFor: '2s', requests: 1000 }), 'wish.yaml');
    await eventually('the rollout to be known', async () => ((await rollout.run('status')).code === 0 ? true : undefined));
    const held = await rollout.run('advance');
    assert.equal(held.code, 1);
    assert.match(held.stderr, /cannot enter strict yet\n {2}held by requests: wanted 1000 calls/);
    await mesh.apply(rolloutObject({ namespace: 'pair', advance: 'Manual', observedFor: '2s', requests: 10 }), 'wish.yaml');
    for (const stage of ['strict', 'dry-run', 'enforce'] as const) {
      const { history } = await rollout.advance(stage);
      assert.deepEqual([history[0]?.to, history[0]?.cause, history[0]?.reason], [stage, 'command', `on to ${stage}`]);
    }
    await mesh.settled();
    await unharmed();
    const waited = await rollout.run('wait', '--for', 'stage=enforce', '--timeout', '20s');
    assert.equal(waited.code, 0, waited.stderr);
  });

  it('a policy that refuses who was let through before is taken back within 10 s, by itself', async () => {
    await mesh.apply(BAD, 'bad.yaml');
    const status = await eventually(
      'the rollback',
      async () => {
        const now = await rollout.status();
        return now.history[0]?.cause === 'rollback-automatic' ? now : undefined;
      },
      30_000,
    ).catch((error: Error) => assert.fail(`${error.message}\n${mesh.log()}`));
    assert.equal(status.stage, 'enforce', 'the rollout’s own policies were not what refused');
    assert.match(status.history[0]?.objects.join() ?? '', /AuthorizationPolicy pair\/bad/);
    const worked = traffic?.worked ?? 0;
    await eventually('calls to work again', () => ((traffic?.worked ?? 0) > worked + 5 ? true : undefined), 30_000);
    assert.ok(refusedAt !== undefined && lastRefusedAt !== undefined);
    const took = lastRefusedAt - refusedAt;
    assert.ok(took < LONGEST_MS, `refused for ${Math.round(took)} ms`);
    assert.match(readFileSync(join(mesh.dir, 'bad.yaml'), 'utf8'), /istio.io\/dry-run: "true"/);
    assert.ok((traffic?.forgive() ?? []).length > 0);
    console.log(`      (refused for ${Math.round(took)} ms)`);
  });

  it('the control plane dies without a word: its objects stay in force, and the rollout goes on where it was', async () => {
    const { history } = await rollout.status();
    const pid = (await eventually('the control plane', () => mesh.status())).pid;
    process.kill(pid, 'SIGKILL');
    await eventually('another control plane', async () => {
      const now = await mesh.status();
      return now !== undefined && now.pid !== pid ? true : undefined;
    });
    const after = await eventually('its rollouts', async () => {
      const { code, stdout } = await rollout.run('status', '-o', 'json');
      return code === 0 ? stdout : undefined;
    });
    assert.deepEqual(JSON.parse(after).history, history);
    await unharmed();
  });

  it('goes back one stage by one command, and says who did it', async () => {
    const start = performance.now();
    const back = await rollout.run('rollback', '--reason', 'a drill', '-o', 'json');
    assert.equal(back.code, 0, back.stderr);
    const waited = await rollout.run('wait', '--for', 'applied', '--timeout', '20s');
    assert.equal(waited.code, 0, waited.stderr);
    console.log(`      (${Math.round(performance.now() - start)} ms with two commands, until every proxy has it)`);
    const { stage, history } = JSON.parse(back.stdout);
    assert.deepEqual([stage, history[0].cause, history[0].reason], ['dry-run', 'rollback-command', 'a drill']);
    await unharmed();
  });
});
