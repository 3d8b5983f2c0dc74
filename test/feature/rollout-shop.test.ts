// The shop from nothing to enforced by commands, under steady traffic of which not one request may fail, while the support site is broken
// into at each stage.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stage } from '../../mesh/model/namespace-rollout.ts';
import { eventually } from '../eventually.ts';
import { ATTACKS, attacksAt, expected, REFUSED_WORKLOADS, type Trace } from './rollout/attacks.ts';
import { type Accepted, RolloutCommands, rolloutObject } from './rollout/command.ts';
import { throughSidecar } from './rollout/pod.ts';
import { BARE_SHOP, shopFlows } from './rollout/shop.ts';
import { SteadyTraffic } from './rollout/steady.ts';
import { type ReportedEdge, RunningMesh } from './running-mesh.ts';

const SUPPORT = 'cluster.local/ns/shop/sa/support';
const denied = (principal: string, workload: string): Accepted => ({ kind: 'denied', from: { principal }, workload });
const INTRUDER: readonly Accepted[] = [
  ...REFUSED_WORKLOADS.map((workload) => denied(SUPPORT, workload)),
  ...['users', 'database'].map((workload): Accepted => ({ kind: 'plain-text', from: { ipBlock: '127.0.0.0/8' }, workload })),
];
const BAD_POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: a-mistake, namespace: shop}
spec:
  selector: {matchLabels: {app: users}}
  action: DENY
  rules: [{from: [{source: {principals: ["cluster.local/ns/shop/sa/rewards"]}}]}]
`;

/** How often the state of a rollout was kept. */
function revisionOf(file: string): number {
  const { revision }: { revision: number } = JSON.parse(readFileSync(file, 'utf8'));
  return revision;
}

describe('the shop is rolled out under steady traffic', function () {
  this.timeout(180_000);
  let mesh: RunningMesh;
  let rollout: RolloutCommands;
  let traffic: SteadyTraffic | undefined;
  before('start the shop without policies', async () => {
    mesh = await RunningMesh.start(BARE_SHOP, 'explicit');
    rollout = new RolloutCommands(mesh, 'shop');
    traffic = new SteadyTraffic(await shopFlows(mesh));
  });
  after(async () => {
    await traffic?.stop();
    await mesh?.stop();
  });

  const accept = (...accepted: readonly Accepted[]): Promise<void> =>
    mesh.apply(
      rolloutObject({ namespace: 'shop', advance: 'Manual', observedFor: '5s', requests: 50, accepted }),
      'namespace-rollout.yaml',
    );

  /** Every kind of legitimate call goes on, and none has failed. */
  async function unharmed(): Promise<void> {
    assert.ok(traffic);
    const least = traffic.least;
    await eventually('more traffic of every kind', () => ((traffic?.least ?? 0) > least + 3 ? true : undefined), 30_000);
    assert.deepEqual(traffic.failures, [], mesh.log());
  }

  /** Tries each attack and compares with what is expected at the stage. */
  async function brokenInto(stage: Stage): Promise<void> {
    const seen: string[] = [];
    for (const attack of attacksAt(stage)) seen.push(`${attack.name}: ${await attack.run(mesh)}`);
    assert.deepEqual(
      seen,
      attacksAt(stage).map((attack) => `${attack.name}: ${expected(attack, stage)}`),
    );
  }

  /** Waits until the report tells of each attack that leaves a trace, as `is` has it. */
  async function reported(is: (edge: ReportedEdge, trace: Trace) => boolean): Promise<void> {
    const traces = ATTACKS.flatMap(({ trace }) => trace ?? []);
    let missing: readonly Trace[] = traces;
    await eventually('the attacks in the report', async () => {
      const edges = (await mesh.edges()).filter(({ source }) => source.workload === 'shop/support');
      missing = traces.filter(
        (trace) =>
          !edges.some(
            (edge) => edge.destination.workload === trace.destination && (edge.method ?? '') === trace.method && is(edge, trace),
          ),
      );
      return missing.length === 0 ? true : undefined;
    }).catch(() => assert.deepEqual(missing, []));
  }

  it('observe: the break-in reaches all there is; status names it, and advance is refused while nobody answers for it', async () => {
    await accept();
    const first = await rollout.reaches('observe');
    assert.equal(first.target, 'enforce');
    await brokenInto('observe');
    await eventually('the plain-text callers to hold the gate', async () => {
      const { gates } = await rollout.status();
      const plain = gates.find(({ gate }) => gate === 'plain-text');
      return plain?.met === false && plain.details.some((text) => text.includes('127.')) ? true : undefined;
    });
    const { code, stderr, stdout } = await rollout.run('advance', '--reason', 'too early');
    assert.equal(code, 1);
    assert.match(`${stdout}${stderr}`, /plain/i);
    await unharmed();
  });

  it('strict: plain text is refused, and nobody with a certificate is', async () => {
    await accept(...INTRUDER);
    await rollout.advance('strict');
    await mesh.settled();
    await brokenInto('strict');
    await unharmed();
  });

  it('dry-run: all goes on, and the report tells what enforcement would refuse', async () => {
    await rollout.advance('dry-run');
    await mesh.settled();
    await brokenInto('dry-run');
    await reported(({ marks }) => marks.some(({ kind }) => kind.startsWith('would-deny')));
    await unharmed();
  });

  it('a job that runs once a week holds the gate and is named, until somebody answers for it', async () => {
    // What the intruder tried with the support site's own right to ask for users is accepted first: it is to be refused.
    const known = [...INTRUDER, denied(SUPPORT, 'users')];
    await accept(...known);
    const weekly = await throughSidecar(mesh, 'shop/statements', 'http://users:8080/users/3');
    assert.equal(weekly.status, 200);
    const held = await eventually('the weekly job to hold the gate', async () => {
      const status = await rollout.status();
      return status.gates.some(({ gate, details }) => gate === 'would-be-denied' && details.join().includes('statements'))
        ? status
        : undefined;
    });
    assert.ok(held.heldBy.length > 0);
    const refused = await rollout.run('advance', '--reason', 'nobody calls');
    assert.equal(refused.code, 1);
    assert.match(`${refused.stdout}${refused.stderr}`, /statements/);
    await accept(...known, denied('cluster.local/ns/shop/sa/statements', 'users'));
    await rollout.unheld();
    await unharmed();
  });

  it('enforce: the break-in is refused and reported with the policy, and no legitimate request failed', async () => {
    await rollout.advance('enforce');
    await mesh.settled();
    await brokenInto('enforce');
    await reported(
      ({ decision, policies, policy }, { destination }) =>
        decision === 'DENY' && [...policies, policy].includes(`shop/rollout-${destination.split('/')[1] ?? ''}`),
    );
    await unharmed();
    console.log(`      ${traffic?.worked} legitimate requests from nothing to enforced, ${traffic?.failures.length} failed`);
    const { history } = await rollout.status();
    assert.deepEqual(
      history.map(({ from, to, gates }) => [from, to, gates.length > 0, gates.every(({ met }) => met)]),
      [
        ['dry-run', 'enforce', true, true],
        ['strict', 'dry-run', true, true],
        ['observe', 'strict', true, true],
      ],
    );
  });

  it('a policy that cuts callers off is taken back by itself within 10 s, and named', async () => {
    const begun = Date.now();
    writeFileSync(join(mesh.dir, 'mistake.yaml'), BAD_POLICY);
    await eventually('the first denial', () => ((traffic?.failures.length ?? 0) > 0 ? true : undefined), 30_000);
    const firstDenial = Date.now();
    const after = await eventually(
      'the rollback',
      async () => {
        const { history } = await rollout.status();
        return history.find(({ cause, at }) => cause === 'rollback-automatic' && Date.parse(at) >= begun);
      },
      30_000,
    );
    // Whole again: a second without a failure of the traffic that came every 80 ms.
    await eventually(
      'legitimate traffic to be whole again',
      async () => {
        const before = traffic?.failures.length;
        const least = traffic?.least ?? 0;
        await eventually('more traffic', () => ((traffic?.least ?? 0) > least + 5 ? true : undefined), 30_000);
        return traffic?.failures.length === before ? true : undefined;
      },
      40_000,
    );
    const failed = traffic?.forgive() ?? [];
    const lastFailure = Date.parse(failed.at(-1)?.slice(0, 24) ?? '');
    console.log(
      `      first denial ${firstDenial - begun} ms after the file; decided ${Date.parse(after.at) - firstDenial} ms and whole again ${lastFailure - firstDenial} ms after it; ${failed.length} requests refused`,
    );
    assert.ok(lastFailure - firstDenial < 10_000, `${lastFailure - firstDenial} ms`);
    assert.match(JSON.stringify(after), /a-mistake/);
    // Nothing that the rollout wrote refused them, so that the namespace stays closed.
    assert.equal((await rollout.status()).stage, 'enforce');
    rmSync(join(mesh.dir, 'mistake.yaml'));
    await mesh.settled();
    await unharmed();
  });

  it('kill -9 in the middle of a step: it is done or undone whole, and traffic does not notice', async () => {
    const kept = join(mesh.ready.runDir, 'ca', 'rollouts', 'shop.json');
    const written = join(mesh.dir, 'rollout-shop.yaml');
    const seen: string[] = [];
    for (const order of ['rollback', 'advance']) {
      const before = await eventually('control plane status', () => mesh.status());
      const revision = revisionOf(kept);
      let answered = false;
      const ordered = rollout
        .run(order, '--reason', 'to be killed', ...(order === 'advance' ? ['--force'] : []))
        .then((outcome) => {
          answered = true;
          return outcome;
        });
      await eventually('the step to begin', () => (answered || revisionOf(kept) > revision ? true : undefined));
      process.kill(before.pid, 'SIGKILL');
      const { code } = await ordered;
      await eventually(
        'the next control plane with all proxies',
        async () => {
          const now = await mesh.status();
          return now !== undefined && now.pid !== before.pid && now.proxies.length >= before.proxies.length ? true : undefined;
        },
        40_000,
      );
      const { stage } = await eventually('its status', () => rollout.status().catch(() => undefined), 30_000);
      const dry = await eventually('its objects to be those of its stage', () => {
        const marks = readFileSync(written, 'utf8').split('istio.io/dry-run').length - 1;
        return (stage === 'enforce' && marks === 0) || (stage === 'dry-run' && marks > 1) ? marks : undefined;
      });
      seen.push(`${order} (${answered && code === 0 ? 'answered' : 'cut off'}): ${stage}, ${dry} dry runs`);
      // As it was, so that the next one has something to do.
      if (order === 'rollback' && stage === 'enforce') await rollout.run('rollback', '--reason', 'again');
      if (order === 'advance' && stage === 'dry-run') await rollout.run('advance', '--force', '--reason', 'again');
    }
    console.log(`      ${seen.join('; ')}`);
    assert.equal((await rollout.status()).stage, 'enforce');
    await unharmed();
  });

  it('rollback by command takes seconds', async () => {
    const begun = Date.now();
    const { code, stderr } = await rollout.run('rollback', '--to', 'observe', '--reason', 'to be measured');
    assert.equal(code, 0, stderr);
    const answered = Date.now() - begun;
    const plain = ATTACKS.find(({ name }) => name === 'the users API in plain text, without a certificate');
    await eventually('plain text to be let in again', async () => ((await plain?.run(mesh)) === 'reached' ? true : undefined));
    console.log(`      answered after ${answered} ms, in force after ${Date.now() - begun} ms`);
    assert.ok(Date.now() - begun < 15_000);
    await unharmed();
  });
});
