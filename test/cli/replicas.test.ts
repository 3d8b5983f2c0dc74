import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeltaDiscoveryResponse } from '#gen/envoy/service/discovery/v3/discovery_pb.js';
import { CLUSTER, LISTENER, ROUTES, VIRTUAL_HOST } from '../../xds/resource-set.ts';
import { eventually } from '../eventually.ts';
import { get } from '../feature/running-mesh.ts';
import { DeltaClient } from '../xds/stream/client.ts';
import { NODE } from '../xds/stream/server.ts';
import { MESH, RunningServe, serviceOf } from './running-serve.ts';

const ROUTE = (timeout: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: users, namespace: shop}
spec: {hosts: [users], http: [{timeout: ${timeout}, route: [{destination: {host: users}}]}]}
`;

const ASKED = [
  [CLUSTER, []],
  [LISTENER, []],
  [ROUTES, ['80']],
  [VIRTUAL_HOST, []],
] as const;

describe('two replicas on the same folder', function () {
  this.timeout(60_000);
  const running: RunningServe[] = [];
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-replicas-'));
    mkdirSync(join(dir, 'mesh'));
    writeFileSync(join(dir, 'mesh', 'mesh.yaml'), MESH + serviceOf('users') + serviceOf('carts'));
    writeFileSync(join(dir, 'mesh', 'route.yaml'), ROUTE('1s'));
  });
  after(async () => {
    for (const serve of running) await serve.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  async function replica(name: string): Promise<{ readonly plaintextXds: string; readonly http: string }> {
    const serve = new RunningServe(join(dir, 'mesh'), join(dir, name), '--plaintext-xds', '127.0.0.1:0');
    running.push(serve);
    return { plaintextXds: await serve.plaintextXds(), http: (await serve.ready()).http };
  }

  it('a proxy that comes back to the other is sent only what differs from what it has', async () => {
    const [one, other] = [await replica('one'), await replica('other')];
    const has = new Map<string, Record<string, string>>();
    const take = (type: string, { resources }: DeltaDiscoveryResponse): void => {
      has.set(type, { ...has.get(type), ...Object.fromEntries(resources.map(({ name, version }) => [name, version])) });
    };
    const first = new DeltaClient(one.plaintextXds);
    for (const [type, names] of ASKED) {
      first.ask(type, names);
      // What it shares with others and its own come apart; a type that was asked for earlier may have more to come.
      for (let answered = false; !answered;) {
        const response = await first.next();
        take(response.typeUrl, response);
        first.answer(response);
        answered = response.typeUrl === type;
      }
    }
    first.close();
    assert.ok(Object.hasOwn(has.get(CLUSTER) ?? {}, 'InboundPassthroughCluster'));
    assert.ok(Object.hasOwn(has.get(LISTENER) ?? {}, 'virtualInbound'));
    assert.ok(Object.keys(has.get(VIRTUAL_HOST) ?? {}).length >= 3);

    const back = async (): Promise<readonly string[]> => {
      const client = new DeltaClient(other.plaintextXds);
      const sent: string[] = [];
      for (const [type, names] of ASKED) {
        client.send({
          node: { id: NODE },
          typeUrl: type,
          resourceNamesSubscribe: [...names],
          initialResourceVersions: has.get(type) ?? {},
        });
        // A wildcard is answered even when there is nothing to say.
        if (names.length > 0) continue;
        const response = await client.next();
        assert.equal(response.typeUrl, type);
        assert.deepEqual(response.removedResources, []);
        sent.push(...response.resources.map(({ name }) => name));
        client.answer(response);
      }
      assert.deepEqual(client.responses, []);
      client.close();
      return sent;
    };
    assert.deepEqual(await back(), []);

    const snapshot = async (): Promise<number> => {
      const status: { readonly snapshot: number } = JSON.parse((await get(other.http, '/healthz')).body);
      return status.snapshot;
    };
    const before = await snapshot();
    writeFileSync(join(dir, 'mesh', 'route.yaml'), ROUTE('2s'));
    await eventually('the other replica has the change', async () => ((await snapshot()) > before ? true : undefined));
    assert.deepEqual(await back(), ['80/users.shop.svc.cluster.local:80']);
  });
});
