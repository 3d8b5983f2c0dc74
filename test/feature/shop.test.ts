// The shop: who may call whom, and a report whose counts equal the requests sent.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { inBothCaptureModesAndScoped } from './capture-modes.ts';
import { field, send } from './load.ts';
import { type Reply, type ReportedEdge, RunningMesh, samples } from './running-mesh.ts';

const status = (reply: Reply): string => String(reply.status);

inBothCaptureModesAndScoped('the shop', (capture, flags) => {
  let mesh: RunningMesh;
  before('start the shop', async () => {
    mesh = await RunningMesh.start([join(samples, 'shop')], capture, flags);
  });
  after(() => mesh?.stop());

  const visit = (site: string, path: string) => ({
    address: mesh.gateway,
    path,
    headers: { host: `${site}.shop.localhost` },
    name: status,
  });

  /** The edges between two workloads whose counts add up to `count`; waits, as access logs arrive after the calls. */
  const edgesOf = (source: string, destination: string, count: number): Promise<readonly ReportedEdge[]> =>
    eventually(`${String(count)} calls from ${source} to ${destination} in the report`, async () => {
      const found = (await mesh.edges()).filter(
        (edge) => edge.source.workload === source && edge.destination.workload === destination,
      );
      const counted = found.reduce((sum, edge) => sum + edge.count, 0);
      assert.ok(counted <= count, `${String(counted)} calls were reported where ${String(count)} were sent`);
      return counted === count ? found : undefined;
    });

  it('support may call the users API, and only the users API reaches the fraud API', async () => {
    const allowed = await send(visit('support', '/account/7'), 37);
    assert.deepEqual([...allowed.counts], [['200', 37]], mesh.log());
    const refused = await send(visit('support', '/score/7'), 11);
    assert.deepEqual([...refused.counts], [['403', 11]]);

    const [toUsers] = await edgesOf('shop/support', 'shop/users', 37);
    assert.ok(toUsers);
    assert.equal(toUsers.decision, 'ALLOW');
    assert.equal(toUsers.policy, 'shop/users');
    assert.equal(toUsers.mtls, true);
    assert.equal(toUsers.source.principal, 'spiffe://cluster.local/ns/shop/sa/support');
    assert.equal(toUsers.destination.principal, 'spiffe://cluster.local/ns/shop/sa/users');
    assert.equal(toUsers.destination.service, 'users.shop.svc.cluster.local');
    assert.equal(toUsers.method, 'GET');
    const [toFraud] = await edgesOf('shop/users', 'shop/fraud', 37);
    assert.equal(toFraud?.policy, 'shop/fraud');
    assert.equal(toFraud?.decision, 'ALLOW');
    const denied = await edgesOf('shop/support', 'shop/fraud', 11);
    assert.ok(denied.every((edge) => edge.decision === 'DENY'));
  });

  it('the website may not: 403, and the report says that no rule of which policies allowed it', async () => {
    const shown = await send(visit('website', '/account/7'), 23);
    assert.deepEqual([...shown.counts], [['403', 23]]);
    const [denied] = await edgesOf('shop/website', 'shop/users', 23);
    assert.equal(denied?.decision, 'DENY');
    assert.deepEqual([...denied.policies].sort(), ['shop/allow-nothing', 'shop/users']);
    assert.match(denied.reason, /no rule of .*shop\/users/);
    const still = await send(visit('website', '/'), 5);
    assert.deepEqual([...still.counts], [['200', 5]]);
  });

  it('a DENY policy is named in the report', async () => {
    await mesh.apply(
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: no-mobile
  namespace: shop
spec:
  selector:
    matchLabels:
      app: users
  action: DENY
  rules:
  - from:
    - source:
        principals: ["cluster.local/ns/shop/sa/mobile"]
`,
    );
    const refused = await send(visit('mobile', '/account/3'), 9);
    assert.deepEqual([...refused.counts], [['403', 9]]);
    const [denied] = await edgesOf('shop/mobile', 'shop/users', 9);
    assert.deepEqual([denied?.decision, denied?.policy], ['DENY', 'shop/no-mobile']);
    await mesh.remove('rules.yaml');
    const allowed = await send(visit('mobile', '/account/3'), 4);
    assert.deepEqual([...allowed.counts], [['200', 4]]);
  });

  it('the users API is asked under the name and with the account that the caller has', async () => {
    const tally = await send(
      {
        ...visit('rewards', '/account/5'),
        name: (reply) => String(field(reply.body, 'upstream', 'users', 'body', 'user', 'id')),
      },
      3,
    );
    assert.deepEqual([...tally.counts], [['5', 3]]);
  });

  it('one command answers who may and who did call the users API and the fraud API, to the request', async () => {
    interface Answer {
      readonly destinations: readonly {
        readonly destination: string;
        readonly mayCall: readonly { readonly caller: { readonly principal: string }; readonly calls: number }[];
        readonly didCall: readonly { readonly workload: string; readonly allowed: number; readonly denied: number }[];
      }[];
    }
    const question = ['audit', 'who', 'shop/users', 'fraud', '-f', join(samples, 'shop'), '--db', mesh.auditFile, '-o', 'json'];
    // Envoy keeps records back for a second, and so does the control plane.
    const answer = await eventually('as many calls as were made are in the record', async () => {
      const { code, stdout, stderr } = await mesh.gatehouse(...question);
      assert.equal(code, 0, stderr);
      const read = JSON.parse(stdout) as Answer;
      const calls = read.destinations.flatMap(({ didCall }) => didCall.map(({ allowed, denied }) => allowed + denied));
      return calls.reduce((sum, one) => sum + one, 0) >= 131 ? read : undefined;
    });
    const account = (name: string): string => `spiffe://cluster.local/ns/shop/sa/${name}`;
    assert.deepEqual(
      answer.destinations.map(({ destination, mayCall, didCall }) => [
        destination,
        mayCall.map(({ caller, calls }) => [caller.principal, calls]),
        didCall.map(({ workload, allowed, denied }) => [workload, allowed, denied]),
      ]),
      [
        [
          'shop/users',
          [
            [account('mobile'), 4],
            [account('rewards'), 3],
            [account('support'), 37],
          ],
          [
            ['shop/mobile', 4, 9],
            ['shop/rewards', 3, 0],
            ['shop/support', 37, 0],
            ['shop/website', 0, 23],
          ],
        ],
        [
          'shop/fraud',
          [[account('users'), 44]],
          [
            ['shop/support', 0, 11],
            ['shop/users', 44, 0],
          ],
        ],
      ],
    );
  });

  it('every call of the mesh was made with a certificate of the issuance log, and a bundle proves it', async () => {
    const ca = join(mesh.ready.runDir, 'ca');
    const { code, stdout, stderr } = await mesh.gatehouse(
      ...['audit', 'certificates', '--ca-dir', ca, '--db', mesh.auditFile, '-o', 'json'],
    );
    assert.equal(code, 0, stderr);
    const { certificates, unexplained } = JSON.parse(stdout) as {
      readonly certificates: readonly { readonly identity: string | null; readonly grant: string; readonly calls: object }[];
      readonly unexplained: readonly object[];
    };
    assert.deepEqual(unexplained, []);
    const support = certificates.find(({ identity }) => identity === 'spiffe://cluster.local/ns/shop/sa/support');
    assert.match(support?.grant ?? '', /^its own identity/);
    const bundle = join(mesh.ready.runDir, 'bundle.tar.gz');
    const made = await eventually('a checkpoint covers the log, and a bundle is made', async () => {
      const outcome = await mesh.gatehouse('audit', 'bundle', '--ca-dir', ca, '--db', mesh.auditFile, '--out', bundle);
      return outcome.code === 0 ? outcome : undefined;
    });
    assert.equal(made.code, 0, made.stderr);
    const verified = await mesh.gatehouse('audit', 'verify', bundle, '--root', join(ca, 'root-cert.pem'));
    assert.equal(verified.code, 0, verified.stdout);
    assert.match(verified.stdout, /records proven to be in the issuance log: [1-9]/);
  });

  for (const format of ['table', 'csv', 'markdown', 'html'] as const) {
    it(`the report as ${format} names both ends and the policy`, async () => {
      const { code, stdout, stderr } = await mesh.gatehouse('audit', 'report', '--db', mesh.auditFile, '-o', format);
      assert.equal(code, 0, stderr);
      for (const expected of ['shop/support', 'shop/users', 'users.shop.svc.cluster.local', 'DENY'])
        assert.ok(stdout.includes(expected), `${expected} is not in:\n${stdout}`);
    });
  }
});
