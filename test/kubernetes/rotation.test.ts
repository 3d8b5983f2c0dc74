// A root is replaced while three replicas sign, with a real proxy at each, under traffic; whoever takes a step is killed with -9.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { eventually } from '../eventually.ts';
import { at, withApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import { gatehouse, type Replica, ReplicaMesh } from './replica-mesh.ts';

const NET = '127.0.41';

describe('root rotation over replicas in a cluster', function () {
  this.timeout(400_000);
  const api = withApiServer();
  let dir: string;
  let mesh: ReplicaMesh;

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    dir = mkdtempSync(join(tmpdir(), 'gh-rot-'));
    await api().apply(looseDefinition('security.istio.io', 'PeerAuthentication'));
    mesh = new ReplicaMesh(api(), dir, envoy, '--certificate-ttl', '20s');
    await eventually('objects are taken', () =>
      mesh.objects(NET).then(
        () => true,
        () => undefined,
      ),
    );
    const replicas = ['a', 'b', 'c'].map((name) => mesh.start(name));
    for (const replica of replicas) await replica.serve.ready();
    const [a, b, c] = replicas;
    await Promise.all([mesh.proxy(NET, 'web', a), mesh.proxy(NET, 'client', b), mesh.proxy(NET, 'other', c)]);
    await mesh.answered(NET);
  });
  after(async () => {
    await mesh?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  const rotate = (replica: Replica | undefined, ...args: readonly string[]) =>
    gatehouse('ca', 'rotate', '--ca-dir', replica?.caDir ?? assert.fail(), ...args, '-o', 'json');
  const phaseOf = async (replica: Replica): Promise<unknown> =>
    at(JSON.parse((await rotate(replica, '--status')).stdout), 'phase');

  async function advanced(replica: Replica | undefined, to: string): Promise<void> {
    let last = '';
    await eventually(
      `a step to ${to}`,
      async () => {
        const { code, stdout, stderr } = await rotate(replica, '--advance');
        last = stdout + stderr;
        return code === 0 ? true : undefined;
      },
      120_000,
    ).catch((error: unknown) => assert.fail(`${String(error)}: ${last}`));
    for (const one of mesh.replicas)
      await eventually(`${one.name} is ${to}`, async () => ((await phaseOf(one)) === to ? true : undefined));
  }

  it('conditions count the proxies of all replicas', async () => {
    const path = '/apis/security.istio.io/v1/namespaces/shop/peerauthentications/default';
    let last: unknown;
    await api().apply({
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace: 'shop' },
      spec: { mtls: { mode: 'STRICT' }, portLevelMtls: { 9999: { mode: 'STRICT' } } },
    });
    await eventually(
      'programmed on the three',
      async () => {
        const conditions = at((await api().request('GET', path)).body, 'status', 'conditions');
        last = conditions;
        return [conditions]
          .flat()
          .some(
            (one) =>
              at(one, 'type') === 'Programmed' && at(one, 'message') === '3 of 3 proxies' && at(one, 'observedGeneration') === 2,
          )
          ? true
          : undefined;
      },
      30_000,
    ).catch((error: unknown) => assert.fail(`${String(error)}: ${JSON.stringify(last)}`));
  });

  it('waits for the proxies of every replica, and no request fails', async () => {
    const [a, b, c] = mesh.replicas;
    const rootsOf = (replica: Replica | undefined) => readFileSync(join(replica?.caDir ?? '', 'root-cert.pem'), 'utf8');
    const before = rootsOf(a);
    const tally = await mesh.underTraffic(NET, async () => {
      // Of two orders at the same moment one is taken.
      const orders = await Promise.all([rotate(a, '--prepare'), rotate(b, '--prepare')]);
      assert.equal(orders.filter(({ code }) => code === 0).length, 1, JSON.stringify(orders));
      for (const one of mesh.replicas)
        await eventually('all are prepared', async () => ((await phaseOf(one)) === 'prepared' ? true : undefined));
      await eventually('one bundle of both roots', () =>
        new Set(mesh.replicas.map(rootsOf)).size === 1 && rootsOf(a).length > before.length ? true : undefined,
      );
      await advanced(c, 'active');
      await advanced(b, 'retiring');
      await advanced(a, 'steady');
    });
    assert.deepEqual(tally.failures.slice(0, 5), []);
    assert.ok(tally.ok > 100, String(tally.ok));
    assert.equal(new Set(mesh.replicas.map(rootsOf)).size, 1);
    const root = new X509Certificate(rootsOf(a));
    assert.notEqual(rootsOf(a), before);
    for (const { caDir } of mesh.replicas)
      assert.equal(existsSync(join(caDir, 'ca-key.pem')), false, 'the key of the first root is still there');
    for (const agent of mesh.agents)
      await eventually('each proxy trusts the new root only', async () => {
        const certs = await agent.admin('/certs');
        return certs.includes(root.serialNumber.toLowerCase()) &&
          !certs.includes(new X509Certificate(before).serialNumber.toLowerCase())
          ? true
          : undefined;
      });
  });

  it('goes on after whoever took a step was killed, and a replica that starts is where the others are', async () => {
    const tally = await mesh.underTraffic(NET, async () => {
      const [a] = mesh.replicas;
      // The order is given, and its giver is gone before it could say what became of it.
      const order = rotate(a, '--prepare');
      await eventually('the step is taken', async () => {
        const { status, body } = await api().request('GET', '/api/v1/namespaces/istio-system/secrets/gatehouse-ca-rotation');
        const record = Buffer.from(String(at(body, 'data', 'rotation.json')), 'base64').toString('utf8');
        return status === 200 && record.includes('prepared') ? true : undefined;
      });
      await mesh.kill(a ?? assert.fail());
      await order;
      for (const one of mesh.replicas)
        await eventually(`${one.name} is prepared`, async () => ((await phaseOf(one)) === 'prepared' ? true : undefined));
      // Its lease has not ended, so nobody knows whether its proxy has the bundle.
      const { code, stdout } = await rotate(mesh.replicas[0], '--advance');
      assert.equal(code, 1);
      assert.match(stdout, /has not answered|has just started|is not at the same step|not all of its/);
      const again = mesh.start('a2');
      await again.serve.ready();
      await eventually('the new one is prepared as well', async () => ((await phaseOf(again)) === 'prepared' ? true : undefined));
    });
    assert.deepEqual(tally.failures.slice(0, 5), []);
    const plan = await rotate(mesh.replicas[0], '--rollback');
    assert.ok(plan.code === 0 || plan.code === 1);
  });
});
