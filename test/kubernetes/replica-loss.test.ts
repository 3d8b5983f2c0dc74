// Three replicas, and every few seconds one of them is gone with its disk, under traffic and while certificates are asked for. The time that it goes on is
// GATEHOUSE_REPLICA_LOSS_SECONDS (300 in docs/kubernetes.md). Then the API server is away, for GATEHOUSE_API_OUTAGE_SECONDS.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { copiesIn } from '../../ca/log/gather/copy.ts';
import { readIssuanceLog } from '../../ca/log/read.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { eventually } from '../eventually.ts';
import { certificateFor } from '../feature/mesh-certificate.ts';
import { at, withApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import { gatehouse, ReplicaMesh } from './replica-mesh.ts';

// Two runs at a time do not meet.
const NET = `127.0.${100 + (process.pid % 100)}`;
const LOSS_SECONDS = Number(process.env['GATEHOUSE_REPLICA_LOSS_SECONDS'] ?? 20);
const OUTAGE_SECONDS = Number(process.env['GATEHOUSE_API_OUTAGE_SECONDS'] ?? 25);
const EVERY_MS = 10_000;

describe('replicas of the control plane that are lost, one after the other', function () {
  this.timeout(240_000 + (LOSS_SECONDS + OUTAGE_SECONDS) * 2_000);
  const api = withApiServer();
  let dir: string;
  let mesh: ReplicaMesh;

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    dir = mkdtempSync(join(tmpdir(), 'gh-loss-'));
    await api().apply(looseDefinition('security.istio.io', 'PeerAuthentication'));
    mesh = new ReplicaMesh(api(), dir, envoy, '--certificate-ttl', '20s');
    await eventually('objects are taken', () =>
      mesh.objects(NET).then(
        () => true,
        () => undefined,
      ),
    );
    for (const replica of ['r1', 'r2', 'r3'].map((name) => mesh.start(name))) await mesh.join(replica);
    for (const name of ['web', 'client', 'other']) await mesh.proxy(NET, name);
    await mesh.answered(NET);
  });
  after(async () => {
    await mesh?.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  /** Serial numbers of all certificates that are in the logs which one replica has. */
  async function loggedAt(caDir: string): Promise<ReadonlySet<string>> {
    const paths = [join(caDir, 'issuance.jsonl'), ...(await copiesIn(caDir)).map(({ files }) => files.records)];
    const logs = await Promise.all(paths.map((path) => readIssuanceLog(path)));
    return new Set(logs.flatMap(({ issuances }) => issuances.map(({ serial }) => serial)));
  }

  it('no request fails, and every certificate that went out is in the logs of whoever is left', async () => {
    const token = await api().token('shop', 'other', { audiences: ['istio-ca'], pod: 'other-1' });
    const rootCert = join(dir, 'root.pem');
    const { rootCert: from } = await (mesh.replicas[0] ?? assert.fail()).serve.ready();
    writeFileSync(rootCert, readFileSync(from));
    const serials: string[] = [];
    let [kills, refused] = [0, 0];
    const state = { over: false };
    const asking = (async () => {
      const target = await mesh.address();
      while (!state.over) {
        try {
          const { chain } = await certificateFor({ target, rootCert, namespace: 'shop', serviceAccount: 'other', token });
          serials.push(new X509Certificate(chain[0] ?? '').serialNumber.toLowerCase());
        } catch {
          // As an agent does: it asks again.
          refused++;
        }
      }
    })();
    const tally = await mesh.underTraffic(NET, async () => {
      const until = Date.now() + LOSS_SECONDS * 1000;
      while (Date.now() < until) {
        const next = Date.now() + EVERY_MS;
        const [victim] = mesh.replicas;
        assert.ok(victim);
        await mesh.kill(victim);
        rmSync(victim.caDir, { recursive: true, force: true });
        kills++;
        await mesh.join(mesh.start(`r${3 + kills}`));
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
      }
    });
    state.over = true;
    await asking;
    process.stderr.write(
      `      ${kills} replicas lost in ${LOSS_SECONDS} s: ${tally.ok} requests, ${tally.failures.length} failed; ${serials.length} certificates, ${refused} calls broken off\n`,
    );
    assert.deepEqual(tally.failures.slice(0, 5), []);
    assert.ok(kills >= 2 && tally.ok > 100 && serials.length > 20, `${kills} ${tally.ok} ${serials.length}`);
    let lost: readonly string[] = [];
    for (const { name, caDir, serve } of mesh.replicas)
      await eventually(
        `${name} has all records`,
        async () => {
          const logged = await loggedAt(caDir);
          lost = serials.filter((serial) => !logged.has(serial));
          return lost.length === 0 ? true : undefined;
        },
        30_000,
      ).catch((error: unknown) =>
        assert.fail(
          `${String(error)}: ${lost.length} are lost, of number ${lost.map((one) => serials.indexOf(one)).join()}\n${serve.errors.slice(-5_000)}`,
        ),
      );
  });

  it('gatehouse ca log tells of all replicas, and of a log that is nowhere', async () => {
    const { caDir } = mesh.replicas[0] ?? assert.fail();
    const cluster = ['--kubernetes', '--kubeconfig', api().kubeconfig, '--system-namespace', 'istio-system', '-o', 'json'];
    const verify = () => gatehouse('ca', 'log', 'verify', '--ca-dir', caDir, ...cluster);
    const logs = (stdout: string): readonly unknown[] => {
      const found = at(JSON.parse(stdout), 'logs');
      return Array.isArray(found) ? found : [];
    };
    let told = '';
    const good = await eventually(
      'every log is whole',
      async () => {
        const { code, stdout, stderr } = await verify();
        told = stderr;
        return code === 0 ? stdout : undefined;
      },
      60_000,
    ).catch((error: unknown) => assert.fail(`${String(error)}\n${told}`));
    assert.ok(logs(good).length >= 4, good);
    const alone = JSON.parse((await gatehouse('ca', 'log', 'show', '--ca-dir', caDir, '-o', 'json')).stdout);
    const all = JSON.parse((await gatehouse('ca', 'log', 'show', '--ca-dir', caDir, '--kubernetes', '-o', 'json')).stdout);
    const count = (value: unknown) => [at(value, 'issuances')].flat().length;
    assert.ok(count(all) > count(alone));
    // As if nobody had copied that replica's log.
    const { stdout: secrets } = await api().kubectl(['get', 'secrets', '-n', 'istio-system', '-o', 'name']);
    // One that was lost within a second of its first record may have no checkpoint in the cluster.
    const lost = (await copiesIn(caDir)).find(({ origin }) => secrets.includes(`gatehouse-log-${origin}\n`));
    assert.ok(lost, secrets);
    const path = dirname(lost.files.records);
    renameSync(path, join(dir, 'moved'));
    try {
      const { code, stderr } = await verify();
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`${lost.origin}: this replica has no copy of this log, which had \\d+ records`));
    } finally {
      renameSync(join(dir, 'moved'), path);
    }
  });

  it('the API server is away, and comes back: certificates are renewed, and no request fails', async () => {
    const certificates = async () => mesh.agents[1]?.admin('/certs');
    const tally = await mesh.underTraffic(NET, async () => {
      const before = await certificates();
      await api().kill();
      const until = Date.now() + OUTAGE_SECONDS * 1000;
      // Each is valid for 20 s.
      await eventually(
        'certificates are renewed while it is away',
        async () => ((await certificates()) !== before ? true : undefined),
        60_000,
      );
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, until - Date.now())));
      assert.equal(await mesh.call(NET), undefined);
      await api().start();
      await eventually(
        'replicas hear of changes again',
        async () => {
          await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'later' } });
          return (await api().request('GET', '/api/v1/namespaces/later/configmaps/istio-ca-root-cert')).status === 200
            ? true
            : undefined;
        },
        90_000,
      );
    });
    process.stderr.write(
      `      the API server was away for ${OUTAGE_SECONDS} s: ${tally.ok} requests, ${tally.failures.length} failed\n`,
    );
    assert.deepEqual(tally.failures.slice(0, 5), []);
    assert.ok(tally.ok > 100);
  });
});
