import assert from 'node:assert/strict';
import { netnsObstacle } from '../../cli/up/netns/capture.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { eventually } from '../eventually.ts';
import { withApiServer } from './api-server.ts';
import { InjectedMesh } from './injected-mesh.ts';
import { asKubelet } from './node.ts';

describe('a pod from kubectl to policy: injected by the webhook, run from its spec', function () {
  this.timeout(240_000);
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) {
    it.skip(obstacle);
    return;
  }
  const api = withApiServer();
  let mesh: InjectedMesh;

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    mesh = await InjectedMesh.start({ api: api(), envoy, number: 7 });
  });
  after(() => mesh?.stop());

  it("the proxies become ready, and answer the kubelet: the application's own probe, through mutual TLS that it has not", async () => {
    for (const name of ['users', 'web'] as const)
      await eventually(
        `the proxy of ${name} is ready\n`,
        async () => ((await asKubelet(`http://${mesh.ip(name)}:15021/healthz/ready`)).startsWith('200') ? true : undefined),
        60_000,
      ).catch((error: unknown) => assert.fail(`${String(error)}\n${mesh.pod(name).said}\n${mesh.errors}`));
    await eventually('the application is well', async () =>
      (await asKubelet('http://10.211.7.2:15020/app-health/app/readyz')).startsWith('200') ? true : undefined,
    );
    assert.equal(await asKubelet('http://10.211.7.2:8080/ready'), 'none', 'the port itself takes no plain text');
    assert.match(await asKubelet('http://10.211.7.3:15020/app-health/app/readyz'), /^500/, 'nothing listens in that pod');
  });

  it('traffic is captured, carried by mutual TLS, and held to policy', async () => {
    await eventually('web reaches users', () =>
      mesh.pod('web').call(`http://${mesh.serviceIp}/ok`) === '200 users: /ok for a certificate' ? true : undefined,
    ).catch((error: unknown) =>
      assert.fail(
        `${String(error)}\n${mesh.pod('web').call(`http://${mesh.serviceIp}/ok`)}\n${mesh.pod('web').said}\n${mesh.pod('users').said}`,
      ),
    );
    assert.match(mesh.pod('web').call(`http://${mesh.serviceIp}/secret`), /^403 RBAC/);
    assert.equal(await asKubelet('http://10.211.7.2:8080/ok'), 'none');
  });

  it('gives out metrics of Envoy, agent and application, and drains for the pod alone', async () => {
    const metrics = await asKubelet('http://10.211.7.2:15020/stats/prometheus');
    assert.match(metrics, /envoy_server_live/);
    assert.match(metrics, /gatehouse_agent_certificate_expiry_timestamp_seconds/);
    assert.match(await asKubelet('http://10.211.7.2:15090/stats/prometheus'), /envoy_server_live/);
    const drained = await fetch('http://10.211.7.2:15020/drain', { method: 'POST' });
    assert.equal(drained.status, 403);
    assert.deepEqual(mesh.pod('users').preStop(), { status: 0, said: '' }, 'the hook of the sidecar drains');
    assert.equal(
      mesh.pod('web').call(`http://${mesh.serviceIp}/ok`),
      '200 users: /ok for a certificate',
      'and requests go on meanwhile',
    );
  });
});
