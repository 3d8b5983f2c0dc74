import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { netnsObstacle } from '../../cli/up/netns/capture.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { eventually } from '../eventually.ts';
import { findPilotAgent } from '../tools/find.ts';
import { withApiServer } from './api-server.ts';
import { InjectedMesh } from './injected-mesh.ts';
import { asKubelet, CONTROL_PLANE } from './node.ts';

describe("Istio's own pilot-agent in an injected pod", function () {
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
    const found = findPilotAgent();
    if (found === undefined || !api().hasControllers) return this.skip();
    mesh = await InjectedMesh.start({
      api: api(),
      envoy,
      number: 8,
      flags: (dir) => {
        // As `gatehouse install` has it.
        writeFileSync(join(dir, 'mesh.yaml'), `defaultConfig:\n  discoveryAddress: ${CONTROL_PLANE}:15012\n`);
        return ['--mesh-config', join(dir, 'mesh.yaml')];
      },
      volumes: (name, dir) => {
        if (name !== 'web') return {};
        // Where the proxy's user may read them: a cache is root's.
        const pilotAgent = { program: join(dir, 'pilot-agent'), template: join(dir, 'bootstrap.json') };
        cpSync(found.program, pilotAgent.program);
        writeFileSync(pilotAgent.template, readFileSync(found.template));
        return { pilotAgent };
      },
    });
  });
  after(() => mesh?.stop());

  const said = (name: string): string => mesh.pod(name).said.slice(-6000);

  it('it becomes ready, with a certificate of ours and the configuration of ours', async () => {
    for (const ip of [mesh.ip('users'), mesh.ip('web')])
      await eventually(
        `the proxy at ${ip} is ready`,
        async () => ((await asKubelet(`http://${ip}:15021/healthz/ready`)).startsWith('200') ? true : undefined),
        60_000,
      ).catch((error: unknown) => assert.fail(`${String(error)}\n${said('web')}\n${mesh.errors}`));
    assert.match(said('web'), /pilot-agent|xdsproxy|Starting proxy agent/i);
  });

  it('calls by mutual TLS as its ServiceAccount, and is held to policy', async () => {
    await eventually('web reaches users', () =>
      mesh.pod('web').call(`http://${mesh.serviceIp}/ok`) === '200 users: /ok for a certificate' ? true : undefined,
    ).catch((error: unknown) =>
      assert.fail(`${String(error)}\n${mesh.pod('web').call(`http://${mesh.serviceIp}/ok`)}\n${said('web')}\n${mesh.errors}`),
    );
    assert.match(mesh.pod('web').call(`http://${mesh.serviceIp}/secret`), /^403 RBAC/);
  });

  it('a change of the configuration reaches its Envoy', async () => {
    await api().apply({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'users', namespace: 'shop' },
      spec: {},
    });
    await eventually('web is denied', () =>
      mesh.pod('web').call(`http://${mesh.serviceIp}/ok`).startsWith('403') ? true : undefined,
    );
  });
});
