// Callers of other trust domains under the same root: those of an alias are let in, all others fail in TLS.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get as httpGet } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { eventually } from '../eventually.ts';
import { CORPORA, isPresent } from '../shared-data.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { issuedBy } from './issued-by.ts';
import { root, RunningMesh } from './running-mesh.ts';
import { TlsConnection } from './tls-connection.ts';

interface Row {
  readonly clientCert: string | null;
  readonly clientTrustDomain?: string;
  readonly port: number;
  readonly protocol: string;
  readonly tls: 'plaintext' | 'mtls';
  readonly allow: boolean;
}

interface Scenario {
  readonly id: string;
  readonly config: string;
  readonly meshConfig?: Readonly<Record<string, unknown>>;
  readonly rows: readonly Row[];
}

const theme = join(CORPORA, 'mtls-scenarios');
const PASS_THROUGH = 9000;

/** The status over plain HTTP, or `refused`. */
function plain(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const sent = httpGet(
      { host, port, path: '/', agent: false, timeout: 5_000, headers: { host: 'server.echo1' } },
      (response) => {
        response.resume();
        resolve(String(response.statusCode));
      },
    );
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve('refused'));
  });
}

inBothCaptureModes('trust domains: corpus mtls-scenarios', (capture) => {
  if (!isPresent(join(theme, 'cases.json'))) {
    it('is not here', function () {
      this.skip();
    });
    return;
  }
  const { cases }: { cases: readonly Scenario[] } = JSON.parse(readFileSync(join(theme, 'cases.json'), 'utf8'));
  const scenario = cases.find(({ id }) => id === 'trust-domain-validation');
  assert.ok(scenario);
  let mesh: RunningMesh | undefined;
  const dir = mkdtempSync(join(tmpdir(), 'gatehouse-td-'));
  before('start the mesh', async () => {
    const meshConfig = join(dir, 'mesh-config.yaml');
    writeFileSync(meshConfig, stringify(scenario.meshConfig));
    const image = `gatehouse/test-many-ports=${process.execPath} ${join(root, 'test', 'feature', 'many-ports.mjs')}`;
    const sources = [join(root, 'test', 'feature', 'meshes', 'trust-domains'), join(theme, scenario.config)];
    mesh = await RunningMesh.start(sources, capture, ['--mesh-config', meshConfig, '--image', image]);
  });
  after(async () => {
    await mesh?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  for (const [index, row] of scenario.rows.entries()) {
    // Without capture there is no listener for a port that no Service has.
    if (row.port === PASS_THROUGH && capture === 'explicit') continue;
    const who = row.clientTrustDomain ?? 'nobody';
    it(`row ${index}: ${who} over ${row.tls} to ${row.port} (${row.protocol}) ${row.allow ? 'passes' : 'fails'}`, async () => {
      assert.ok(mesh);
      const { ip } = mesh.workload('echo1/server');
      const wanted = row.allow ? '200' : 'refused';
      const own =
        row.tls === 'mtls'
          ? await issuedBy(join(mesh.ready.runDir, 'ca'), `spiffe://${who}/ns/${who.split('-').at(-1)}/sa/any`)
          : undefined;
      const ask = async (): Promise<string> => {
        if (own === undefined) return plain(ip, row.port);
        const connection = new TlsConnection(ip, row.port, own);
        const status = await connection.status();
        connection.close();
        return status;
      };
      await eventually(`${wanted} for row ${index}`, async () => ((await ask()) === wanted ? true : undefined), 10_000);
      assert.equal(await ask(), wanted);
    });
  }
});
