import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inBothCaptureModes } from './capture-modes.ts';
import { RunningMesh, root } from './running-mesh.ts';

/** The environment of the process whose command line holds `part`. */
function environmentOf(part: string): readonly string[] {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (command[0]?.includes('envoy') === true && command.some((one) => one.includes(part)))
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    } catch {
      // It ended in between.
    }
  }
  return [];
}

inBothCaptureModes('ProxyConfig in a whole mesh', (capture) => {
  let folder = '';
  let mesh: RunningMesh | undefined;
  after(async () => {
    await mesh?.stop();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  it('proxies are started with its threads and variables', async function () {
    if (process.platform !== 'linux') this.skip();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    const file = join(folder, 'proxy-config.yaml');
    writeFileSync(
      file,
      `apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: mesh, namespace: istio-system}
spec: {concurrency: 2, environmentVariables: {STAGE: test-of-proxies}}
`,
    );
    mesh = await RunningMesh.start([join(root, 'test', 'feature', 'meshes', 'pair'), file], capture);
    for (const { pod, workload, adminSocket } of mesh.ready.workloads.filter((one) => one.adminSocket !== '').slice(0, 2)) {
      assert.match(await mesh.admin(workload, '/server_info'), /"concurrency": 2/);
      const bootstrap = adminSocket.slice(0, adminSocket.lastIndexOf('/'));
      assert.ok(environmentOf(bootstrap).includes('STAGE=test-of-proxies'), pod);
    }
  });
});
