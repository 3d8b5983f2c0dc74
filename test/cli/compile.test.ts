import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runGatehouse, samples } from '../feature/running-mesh.ts';
import { foreignCertificate } from '../feature/foreign-certificate.ts';

const bookinfo = ['-f', join(samples, 'bookinfo'), '-f', join(samples, 'bookinfo-rules')];

describe('gatehouse compile', function () {
  this.timeout(30_000);

  it('prints the resources of one proxy, the same each time', async () => {
    const first = await runGatehouse('compile', ...bookinfo, '--proxy', 'default/reviews-v2', '-o', 'json');
    assert.equal(first.code, 0, first.stderr);
    const resources: Record<string, { name?: string; clusterName?: string }[]> = JSON.parse(first.stdout);
    assert.deepEqual(Object.keys(resources), ['policyForms', 'listeners', 'routes', 'clusters', 'endpoints']);
    const clusters = (resources['clusters'] ?? []).map(({ name }) => name);
    assert.ok(clusters.includes('outbound|9080|v2|reviews.default.svc.cluster.local'), clusters.join(' '));
    assert.ok((resources['listeners'] ?? []).some(({ name }) => name === 'virtualInbound'));
    const second = await runGatehouse('compile', ...bookinfo, '--proxy', 'default/reviews-v2', '-o', 'json');
    assert.equal(second.stdout, first.stdout);
  });

  it('names the workloads when there is no such one', async () => {
    const { code, stderr } = await runGatehouse('compile', ...bookinfo, '--proxy', 'default/nobody');
    assert.equal(code, 1);
    assert.match(stderr, /no workload default\/nobody \(there are .*default\/reviews-v1/);
  });

  it('--static makes a configuration that Envoy takes', async function () {
    const envoy = process.env['GATEHOUSE_ENVOY'];
    if (envoy === undefined) {
      assert.equal(process.env['CI'], undefined, 'GATEHOUSE_ENVOY is not set');
      return this.skip();
    }
    const dir = mkdtempSync(join(tmpdir(), 'gatehouse-compile-'));
    try {
      const { cert, key } = await foreignCertificate('spiffe://cluster.local/ns/default/sa/bookinfo-reviews');
      for (const [name, text] of [
        ['cert-chain.pem', cert],
        ['key.pem', key],
        ['root-cert.pem', cert],
      ] as const)
        writeFileSync(join(dir, name), text, { mode: 0o600 });
      const flags = ['--proxy', 'default/reviews-v2', '--static', '--certificates', dir, '-o', 'json'];
      const { code, stdout, stderr } = await runGatehouse('compile', ...bookinfo, ...flags);
      assert.equal(code, 0, stderr);
      const file = join(dir, 'envoy.json');
      writeFileSync(file, stdout);
      const checked = spawnSync(envoy, ['--mode', 'validate', '-c', file, '--log-level', 'error'], { encoding: 'utf8' });
      assert.equal(checked.status, 0, checked.stderr);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('refuses two sources of secrets as wrong usage', async () => {
    const flags = ['--proxy', 'default/reviews-v2', '--static', '--certificates', 'a', '--sds-socket', 'b'];
    const { code, stderr } = await runGatehouse('compile', ...bookinfo, ...flags);
    assert.equal(code, 2);
    assert.match(stderr, /exclude each other/);
  });
});
