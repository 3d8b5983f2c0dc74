// Alerts of a whole mesh: first calls, plain text and a spike of denials, to a webhook, and nothing again after the control plane was
// killed: by what it has on its disk, or, where that is lost, by what replicas share.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSigned, SIGNATURE_HEADER } from '../../audit/alerts/signature.ts';
import { Receiver } from '../audit/alerts/receiver.ts';
import { TestAuthority } from '../audit/envoy/certificates.ts';
import { PostgresServer } from '../audit/store/postgres-server.ts';
import { eventually } from '../eventually.ts';
import { serverStatus, startPair, throughClient } from './pair.ts';
import { send } from './load.ts';
import type { RunningMesh } from './running-mesh.ts';

const SECRET = 'a secret of sixteen bytes and more';

const FIRST = [
  'a caller without an identity called istio-system/istio-ingressgateway for the first time',
  'istio-system/istio-ingressgateway called pair/client for the first time',
  'pair/client called pair/server for the first time',
];

/** A receiver of webhooks, and a mesh that alerts it. */
class AlertedMesh {
  readonly #dir: string;
  readonly receiver: Receiver;
  readonly mesh: RunningMesh;

  private constructor(dir: string, receiver: Receiver, mesh: RunningMesh) {
    this.#dir = dir;
    this.receiver = receiver;
    this.mesh = mesh;
  }

  static async start(rules: string, flags: readonly string[] = []): Promise<AlertedMesh> {
    const dir = mkdtempSync(join(tmpdir(), 'gh-mesh-alerts-'));
    const authority = await TestAuthority.create();
    const receiver = await Receiver.start(await authority.issueForHost('localhost'));
    try {
      writeFileSync(join(dir, 'ca.pem'), authority.root);
      writeFileSync(join(dir, 'secret'), SECRET);
      const webhook = `{name: test, url: 'https://localhost:${String(receiver.port)}/', secretFile: secret, caFile: ca.pem}`;
      writeFileSync(join(dir, 'alerts.yaml'), `webhooks: [${webhook}]\n${rules}`);
      return new AlertedMesh(dir, receiver, await startPair('explicit', ['--alerts', join(dir, 'alerts.yaml'), ...flags]));
    } catch (error) {
      await receiver.stop();
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.mesh.stop();
    await this.receiver.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  summaries(): readonly string[] {
    return this.receiver.received.map(({ body }) => {
      const { summary }: { readonly summary: string } = JSON.parse(body);
      return summary;
    });
  }

  async told(count: number): Promise<void> {
    await eventually(`${String(count)} alerts`, () => (this.receiver.received.length >= count ? true : undefined), 60_000);
  }

  async calls(count: number): Promise<void> {
    const { failures } = await send({ ...throughClient(this.mesh), name: serverStatus }, count);
    assert.deepEqual(failures, [], this.mesh.log());
  }

  async plain(): Promise<void> {
    const socket = connect({ host: this.mesh.workload('pair/server').ip, port: 8080 });
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nhost: server\r\n\r\n');
    socket.resume();
    await new Promise((resolve) => socket.on('close', resolve));
  }

  /** What is in the report was looked at for alerts, too. */
  async reported(count: number): Promise<void> {
    await eventually(
      `${String(count)} calls in the report`,
      async () => {
        const seen = (await this.mesh.edges()).filter(({ destination }) => destination.workload === 'pair/server');
        return seen.reduce((sum, { count: calls }) => sum + calls, 0) >= count ? true : undefined;
      },
      60_000,
    );
  }

  /** Kills the control plane and waits until another one has all proxies. */
  async killed(meanwhile: () => void = () => undefined): Promise<void> {
    const before = await eventually('the control plane', () => this.mesh.status());
    process.kill(before.pid, 'SIGKILL');
    meanwhile();
    await eventually(
      'another control plane with all proxies',
      async () => {
        const now = await this.mesh.status();
        return now !== undefined && now.pid !== before.pid && now.proxies.length >= 3 ? true : undefined;
      },
      60_000,
    );
  }
}

describe('alerts of a running mesh', function () {
  this.timeout(300_000);
  let alerted: AlertedMesh;
  let runningSince = 0;

  before(async () => {
    alerted = await AlertedMesh.start('newEdge: {learn: 0s}\nplainText: {}\ndenialSpike: {window: 1s, least: 6}\n');
    runningSince = Date.now();
  });
  after(() => alerted?.stop());

  it('each first call once, signed', async () => {
    await alerted.calls(10);
    await alerted.told(3);
    await alerted.calls(10);
    await alerted.reported(20);
    assert.deepEqual([...alerted.summaries()].sort(), FIRST);
    for (const { body, headers } of alerted.receiver.received)
      assert.ok(isSigned(String(headers[SIGNATURE_HEADER.toLowerCase()]), body, Buffer.from(SECRET), new Date()));
  });

  it('plain text to what is strict, with why, and many denials at once; not told again by a control plane that was killed', async () => {
    await alerted.plain();
    // Also a first call: who it is nobody knows.
    await alerted.told(5);
    const told = alerted.summaries().slice(3).sort();
    assert.equal(told[1], 'a caller without an identity called pair/server for the first time, and was denied');
    assert.match(
      told[0] ?? '',
      /^127\.\S+ spoke plain text to pair\/server, which is to be strict: PeerAuthentication \S+ is STRICT \(refused\)$/,
    );
    await eventually('some whole windows with next to no denial', () => (Date.now() - runningSince > 6_000 ? true : undefined));
    // However they fall into windows of a second, one has more than five.
    await Promise.all(Array.from({ length: 60 }, () => alerted.plain()));
    await alerted.told(6);
    assert.match(alerted.summaries()[5] ?? '', /^pair\/server denied \d+ calls within 1 s; usual are 0(\.\d)?$/);
    await alerted.killed();
    await alerted.calls(10);
    await alerted.plain();
    await alerted.reported(92);
    // One that was taken in the moment of the kill comes again, with the same id.
    const ids = new Set(alerted.receiver.received.map(({ headers }) => headers['gatehouse-alert-id']));
    assert.equal(ids.size, 6, JSON.stringify(alerted.summaries()));
    assert.ok(alerted.receiver.received.length <= 7, JSON.stringify(alerted.summaries()));
  });
});

describe('alerts of a running mesh whose record is in PostgreSQL', function () {
  this.timeout(300_000);
  let database: PostgresServer | undefined;
  let alerted: AlertedMesh;

  before(async function () {
    database = await PostgresServer.start();
    if (database === undefined) return this.skip();
    const { url } = await database.place();
    alerted = await AlertedMesh.start('newEdge: {learn: 0s}\nplainText: {}\n', ['--audit-db', url]);
    alerted.mesh.auditDb = url;
  });
  after(async () => {
    await alerted?.stop();
    await database?.close();
  });

  const told = async (): Promise<number> => {
    const [row] = (await database?.query('audit1', 'SELECT count(*) AS told FROM alert_told')) ?? [];
    return Number(row?.['told']);
  };

  it('what was told is known to whoever comes after it, though nothing is left on the disk of who told it', async () => {
    await alerted.calls(10);
    await alerted.told(3);
    await alerted.plain();
    await alerted.told(5);
    const before = alerted.summaries();
    assert.deepEqual(before.slice(0, 3).sort(), FIRST);
    assert.ok((await told()) >= 5);
    await alerted.killed(() => {
      for (const suffix of ['', '-wal', '-shm'])
        rmSync(join(alerted.mesh.ready.runDir, 'ca', `alerts.db${suffix}`), { force: suffix !== '' });
    });
    await alerted.calls(10);
    await alerted.plain();
    await alerted.reported(22);
    // What is new is told, after all that came before it.
    await alerted.mesh.answers('/call?url=http://client:8080/', ({ status }) => status === 200, { host: 'pair.localhost' });
    await eventually(
      'a first call',
      () => (alerted.summaries().some((text) => /pair\/client called pair\/client/.test(text)) ? true : undefined),
      60_000,
    );
    // Told again it would have the id that it had, so messages are counted.
    assert.equal(alerted.receiver.received.length, 6, JSON.stringify(alerted.summaries()));
  });
});
