import assert from 'node:assert/strict';
import { LISTENER, type ResourceSet, ROUTES } from '../../../xds/resource-set.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { eventually } from '../../eventually.ts';
import { meshSet } from './envoy-resources.ts';
import { application } from './application.ts';
import { type Envoy, startEnvoy } from './envoy.ts';
import { publishTo } from './publish.ts';
import { type Running, startServer } from './server.ts';

async function get(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  const body = await response.text();
  return response.ok ? body : `${response.status}`;
}

for (const variant of ['delta', 'sotw'] as const) {
  describe(`a real Envoy over ${variant}`, function () {
    this.timeout(60_000);
    let running: Running;
    let envoy: Envoy;
    const applications: { close(): Promise<void> }[] = [];
    const ports: { blue: number; green: number } = { blue: 0, green: 0 };

    before(async function () {
      const path = envoyOrSkip(this);
      for (const colour of ['blue', 'green'] as const) {
        const made = await application(colour);
        applications.push(made);
        ports[colour] = made.port;
      }
      running = await startServer();
      envoy = await startEnvoy(path, running.address, variant);
    });
    after(async () => {
      await envoy?.stop();
      running?.stop();
      await Promise.all(applications.map((one) => one.close()));
    });

    const publish = (set: ResourceSet): Promise<void> => publishTo(running, set);
    const rejected = () => running.only()?.rejected ?? [];

    it('gets listeners, routes, clusters and endpoints', async () => {
      await publish(meshSet({ clusters: { blue: ports.blue }, listeners: { a: 'blue' } }));
      assert.deepEqual(rejected(), []);
      assert.equal(await get(await envoy.port('a')), 'blue');
      const dump = await envoy.admin('/config_dump?include_eds');
      for (const name of ['a', 'a-routes', 'blue']) assert.ok(dump.includes(`"${name}"`), name);
    });

    it('applies a change without a failed request, and forgets the old cluster', async () => {
      const port = await envoy.port('a');
      const answers: string[] = [];
      const traffic = { ends: false };
      const done = (async () => {
        while (!traffic.ends) answers.push(await get(port));
      })();
      await publish(meshSet({ clusters: { green: ports.green }, listeners: { a: 'green' } }));
      await eventually('the change is seen', () => (answers.at(-1) === 'green' ? true : undefined));
      traffic.ends = true;
      await done;
      assert.deepEqual([...new Set(answers)].sort(), answers.includes('blue') ? ['blue', 'green'] : ['green']);
      await eventually('the old cluster is gone', async () =>
        (await envoy.admin('/clusters')).includes('blue::') ? undefined : true,
      );
    });

    it('moves endpoints of a cluster that stays', async () => {
      await publish(meshSet({ clusters: { green: ports.blue }, listeners: { a: 'green' } }));
      const port = await envoy.port('a');
      await eventually('the other endpoint answers', async () => ((await get(port)) === 'blue' ? true : undefined));
      await publish(meshSet({ clusters: { green: ports.green }, listeners: { a: 'green' } }));
      await eventually('the first endpoint answers', async () => ((await get(port)) === 'green' ? true : undefined));
    });

    it('refuses bad routes, keeps the old ones and the cluster they need, and takes good ones again', async () => {
      const port = await envoy.port('a');
      await publish(meshSet({ clusters: { blue: ports.blue }, listeners: { a: 'blue' }, bad: ['a'] }));
      assert.equal(rejected().length, 1);
      assert.equal(rejected()[0]?.typeUrl, ROUTES);
      assert.equal(rejected()[0]?.name, 'a-routes');
      assert.match(rejected()[0]?.message ?? '', /domain/i);
      assert.equal(await get(port), 'green');
      await publish(meshSet({ clusters: { blue: ports.blue }, listeners: { a: 'blue' } }));
      assert.deepEqual(rejected(), []);
      await eventually('the good routes are in force', async () => ((await get(port)) === 'blue' ? true : undefined));
    });

    it('refuses one bad listener of several, by name, and serves the others', async () => {
      const set = meshSet({
        clusters: { blue: ports.blue },
        listeners: { a: 'blue', b: 'blue', c: 'blue' },
        badListeners: ['b'],
      });
      await publish(set);
      assert.deepEqual(
        rejected().map(({ typeUrl, name }) => [typeUrl, name]),
        [[LISTENER, 'b']],
      );
      assert.equal(await get(await envoy.port('a')), 'blue');
      assert.equal(await get(await envoy.port('c')), 'blue');
      await publish(meshSet({ clusters: { blue: ports.blue }, listeners: { a: 'blue', b: 'blue' } }));
      assert.deepEqual(rejected(), []);
      assert.equal(await get(await envoy.port('b')), 'blue');
    });

    it('reconnects after a loss and is sent again only what cannot be known to be there', async () => {
      const port = await envoy.port('a');
      const since = running.only()?.connectedAt.getTime() ?? 0;
      running.disconnect();
      await eventually('Envoy is back and has answered', () => {
        const now = running.only();
        return now !== undefined && now.connectedAt.getTime() > since && now.acknowledged > 0 ? true : undefined;
      });
      const { sent } = running.only() ?? {};
      // SotW has no versions of single resources: endpoints (1) and routes (2) come again.
      assert.equal(sent?.resources, variant === 'delta' ? 0 : 3);
      assert.equal(await get(port), 'blue');
      await publish(meshSet({ clusters: { green: ports.green }, listeners: { a: 'green' } }));
      await eventually('a change after it arrives', async () => ((await get(port)) === 'green' ? true : undefined));
    });
  });
}
