// The shop from nothing to enforced by commands, under steady traffic of which not one request may fail, while the support site is broken
// into at each stage. Wherever its objects are.
import assert from 'node:assert/strict';
import type { Stage } from '../../../mesh/model/namespace-rollout.ts';
import { eventually } from '../../eventually.ts';
import type { ReportedEdge } from '../running-mesh.ts';
import { ATTACKS, attacksAt, expected, REFUSED_WORKLOADS, type Trace } from './attacks.ts';
import { type Accepted, RolloutCommands, rolloutObject } from './command.ts';
import type { MeshUnderRollout } from './mesh-under-rollout.ts';
import { shopFlows } from './shop.ts';
import { SteadyTraffic } from './steady.ts';

const SUPPORT = 'cluster.local/ns/shop/sa/support';
const denied = (principal: string, workload: string): Accepted => ({ kind: 'denied', from: { principal }, workload });
const intruder = ({ plainTextFrom }: MeshUnderRollout): readonly Accepted[] => [
  ...REFUSED_WORKLOADS.map((workload) => denied(SUPPORT, workload)),
  ...['users', 'database'].map((workload): Accepted => ({ kind: 'plain-text', from: { ipBlock: plainTextFrom }, workload })),
];
const BAD_POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: a-mistake, namespace: shop}
spec:
  selector: {matchLabels: {app: users}}
  action: DENY
  rules: [{from: [{source: {principals: ["cluster.local/ns/shop/sa/rewards"]}}]}]
`;

/** The shop with traffic on it: what tests of more than the story go on with. */
export class ShopUnderRollout {
  readonly mesh: MeshUnderRollout;
  readonly rollout: RolloutCommands;
  readonly traffic: SteadyTraffic;

  private constructor(mesh: MeshUnderRollout, traffic: SteadyTraffic) {
    this.mesh = mesh;
    this.rollout = new RolloutCommands(mesh, 'shop');
    this.traffic = traffic;
  }

  static async begin(mesh: MeshUnderRollout): Promise<ShopUnderRollout> {
    return new ShopUnderRollout(mesh, new SteadyTraffic(await shopFlows(mesh)));
  }

  async accept(...accepted: readonly Accepted[]): Promise<void> {
    const wish = { namespace: 'shop', advance: 'Manual', observedFor: '5s', requests: 50, accepted } as const;
    await this.mesh.put('namespace-rollout', rolloutObject(wish));
    await this.mesh.settled();
  }

  /** Every kind of legitimate call goes on, and none has failed. */
  async unharmed(): Promise<void> {
    const { least } = this.traffic;
    await eventually('more traffic of every kind', () => (this.traffic.least > least + 3 ? true : undefined), 30_000);
    assert.deepEqual(this.traffic.failures, [], this.mesh.log());
  }

  /** Tries each attack and compares with what is expected at the stage. */
  async brokenInto(stage: Stage): Promise<void> {
    const seen: string[] = [];
    for (const attack of attacksAt(stage)) seen.push(`${attack.name}: ${await attack.run(this.mesh)}`);
    assert.deepEqual(
      seen,
      attacksAt(stage).map((attack) => `${attack.name}: ${expected(attack, stage)}`),
    );
  }

  /** Waits until the report tells of each attack that leaves a trace, as `is` has it. */
  async reported(is: (edge: ReportedEdge, trace: Trace) => boolean): Promise<void> {
    const traces = ATTACKS.flatMap(({ trace }) => trace ?? []);
    let missing: readonly Trace[] = traces;
    await eventually('the attacks in the report', async () => {
      const edges = (await this.mesh.edges()).filter(({ source }) => source.workload === 'shop/support');
      missing = traces.filter(
        (trace) =>
          !edges.some(
            (edge) => edge.destination.workload === trace.destination && (edge.method ?? '') === trace.method && is(edge, trace),
          ),
      );
      return missing.length === 0 ? true : undefined;
    }).catch(() => assert.deepEqual(missing, []));
  }
}

/** @param shop is asked once each test runs */
export function shopIsRolledOut(shop: () => ShopUnderRollout): void {
  it('observe: the break-in reaches all there is; status names it, and advance is refused while nobody answers for it', async () => {
    const { mesh, rollout } = shop();
    await shop().accept();
    const first = await rollout.reaches('observe');
    assert.equal(first.target, 'enforce');
    await shop().brokenInto('observe');
    await eventually('the plain-text callers to hold the gate', async () => {
      const { gates } = await rollout.status();
      const plain = gates.find(({ gate }) => gate === 'plain-text');
      return plain?.met === false && plain.details.some((text) => text.includes(mesh.plainTextFrom)) ? true : undefined;
    });
    const { code, stderr, stdout } = await rollout.run('advance', '--reason', 'too early');
    assert.equal(code, 1);
    assert.match(`${stdout}${stderr}`, /plain/i);
    await shop().unharmed();
  });

  it('strict: plain text is refused, and nobody with a certificate is', async () => {
    const { mesh, rollout } = shop();
    await shop().accept(...intruder(mesh));
    await rollout.advance('strict');
    await mesh.settled();
    await shop().brokenInto('strict');
    await shop().unharmed();
  });

  it('dry-run: all goes on, and the report tells what enforcement would refuse', async () => {
    const { mesh, rollout } = shop();
    await rollout.advance('dry-run');
    await mesh.settled();
    await shop().brokenInto('dry-run');
    await shop().reported(({ marks }) => marks.some(({ kind }) => kind.startsWith('would-deny')));
    await shop().unharmed();
  });

  it('a job that runs once a week holds the gate and is named, until somebody answers for it', async () => {
    const { mesh, rollout } = shop();
    // What the intruder tried with the support site's own right to ask for users is accepted first: it is to be refused.
    const known = [...intruder(mesh), denied(SUPPORT, 'users')];
    await shop().accept(...known);
    const weekly = await mesh.ask('shop/statements', 'http://users:8080/users/3');
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
    await shop().accept(...known, denied('cluster.local/ns/shop/sa/statements', 'users'));
    await rollout.unheld();
    await shop().unharmed();
  });

  it('enforce: the break-in is refused and reported with the policy, and no legitimate request failed', async () => {
    const { mesh, rollout, traffic } = shop();
    await rollout.advance('enforce');
    await mesh.settled();
    await shop().brokenInto('enforce');
    await shop().reported(
      ({ decision, policies, policy }, { destination }) =>
        decision === 'DENY' && [...policies, policy].includes(`shop/rollout-${destination.split('/')[1] ?? ''}`),
    );
    await shop().unharmed();
    console.log(`      ${traffic.worked} legitimate requests from nothing to enforced, ${traffic.failures.length} failed`);
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
    const { mesh, rollout, traffic } = shop();
    const begun = Date.now();
    await mesh.put('a-mistake', BAD_POLICY);
    await eventually('the first denial', () => (traffic.failures.length > 0 ? true : undefined), 30_000);
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
        const before = traffic.failures.length;
        const least = traffic.least;
        await eventually('more traffic', () => (traffic.least > least + 5 ? true : undefined), 30_000);
        return traffic.failures.length === before ? true : undefined;
      },
      40_000,
    );
    const failed = traffic.forgive();
    const lastFailure = Date.parse(failed.at(-1)?.slice(0, 24) ?? '');
    console.log(
      `      first denial ${firstDenial - begun} ms after the file; decided ${Date.parse(after.at) - firstDenial} ms and whole again ${lastFailure - firstDenial} ms after it; ${failed.length} requests refused`,
    );
    assert.ok(lastFailure - firstDenial < 10_000, `${lastFailure - firstDenial} ms`);
    assert.match(JSON.stringify(after), /a-mistake/);
    // Nothing that the rollout wrote refused them, so that the namespace stays closed.
    assert.equal((await rollout.status()).stage, 'enforce');
    await mesh.remove('a-mistake');
    await mesh.settled();
    await shop().unharmed();
  });
}

/** The last of a story: the namespace is open after it. */
export function rollbackTakesSeconds(shop: () => ShopUnderRollout): void {
  it('rollback by command takes seconds', async () => {
    const { mesh, rollout } = shop();
    const begun = Date.now();
    const { code, stderr } = await rollout.run('rollback', '--to', 'observe', '--reason', 'to be measured');
    assert.equal(code, 0, stderr);
    const answered = Date.now() - begun;
    const plain = ATTACKS.find(({ name }) => name === 'the users API in plain text, without a certificate');
    await eventually('plain text to be let in again', async () => ((await plain?.run(mesh)) === 'reached' ? true : undefined));
    console.log(`      answered after ${answered} ms, in force after ${Date.now() - begun} ms`);
    assert.ok(Date.now() - begun < 30_000);
    await shop().unharmed();
  });
}
