// Alerts of a whole mesh: first calls, plain text and a spike of denials, to a webhook, and nothing again after the control plane was killed.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSigned, SIGNATURE_HEADER } from '../../audit/alerts/signature.ts';
import { Receiver } from '../audit/alerts/receiver.ts';
import { TestAuthority } from '../audit/envoy/certificates.ts';
import { eventually } from '../eventually.ts';
import { serverStatus, startPair, throughClient } from './pair.ts';
import { send } from './load.ts';
import type { RunningMesh } from './running-mesh.ts';

const SECRET = 'a secret of sixteen bytes and more';

describe('alerts of a running mesh', function () {
  this.timeout(300_000);
  const dir = mkdtempSync(join(tmpdir(), 'gh-mesh-alerts-'));
  let receiver: Receiver;
  let mesh: RunningMesh;
  let runningSince = 0;

  before(async () => {
    const authority = await TestAuthority.create();
    receiver = await Receiver.start(await authority.issueForHost('localhost'));
    writeFileSync(join(dir, 'ca.pem'), authority.root);
    writeFileSync(join(dir, 'secret'), SECRET);
    writeFileSync(
      join(dir, 'alerts.yaml'),
      `webhooks:
- {name: test, url: 'https://localhost:${String(receiver.port)}/', secretFile: secret, caFile: ca.pem}
newEdge: {learn: 0s}
plainText: {}
denialSpike: {window: 1s, least: 6}
`,
    );
    mesh = await startPair('explicit', ['--alerts', join(dir, 'alerts.yaml')]);
    runningSince = Date.now();
  });
  after(async () => {
    await mesh?.stop();
    await receiver?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const summaries = (): readonly string[] =>
    receiver.received.map(({ body }) => {
      const { summary }: { readonly summary: string } = JSON.parse(body);
      return summary;
    });
  const calls = async (count: number): Promise<void> => {
    const { failures } = await send({ ...throughClient(mesh), name: serverStatus }, count);
    assert.deepEqual(failures, [], mesh.log());
  };
  const plain = async (): Promise<void> => {
    const socket = connect({ host: mesh.workload('pair/server').ip, port: 8080 });
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nhost: server\r\n\r\n');
    socket.resume();
    await new Promise((resolve) => socket.on('close', resolve));
  };
  const FIRST = [
    'a caller without an identity called istio-system/istio-ingressgateway for the first time',
    'istio-system/istio-ingressgateway called pair/client for the first time',
    'pair/client called pair/server for the first time',
  ];

  it('each first call once, signed', async () => {
    await calls(10);
    await eventually('three alerts', () => (receiver.received.length >= 3 ? true : undefined), 60_000);
    await calls(10);
    await eventually('twenty calls in the report', async () => {
      const seen = (await mesh.edges()).filter(({ destination }) => destination.workload === 'pair/server');
      return seen.reduce((sum, { count }) => sum + count, 0) >= 20 ? true : undefined;
    });
    assert.deepEqual([...summaries()].sort(), FIRST);
    for (const { body, headers } of receiver.received)
      assert.ok(isSigned(String(headers[SIGNATURE_HEADER.toLowerCase()]), body, Buffer.from(SECRET), new Date()));
  });

  it('plain text to what is strict, with why, and many denials at once; not told again by a control plane that was killed', async () => {
    await plain();
    // Also a first call: who it is nobody knows.
    await eventually('two more', () => (receiver.received.length >= 5 ? true : undefined), 60_000);
    const told = summaries().slice(3).sort();
    assert.equal(told[1], 'a caller without an identity called pair/server for the first time, and was denied');
    assert.match(
      told[0] ?? '',
      /^127\.\S+ spoke plain text to pair\/server, which is to be strict: PeerAuthentication \S+ is STRICT \(refused\)$/,
    );
    const before = await eventually('the control plane', () => mesh.status());
    await eventually('some whole windows with next to no denial', () => (Date.now() - runningSince > 6_000 ? true : undefined));
    // However they fall into windows of a second, one has more than five.
    await Promise.all(Array.from({ length: 60 }, plain));
    await eventually('a spike', () => (receiver.received.length >= 6 ? true : undefined), 60_000);
    assert.match(summaries()[5] ?? '', /^pair\/server denied \d+ calls within 1 s; usual are 0(\.\d)?$/);
    process.kill(before.pid, 'SIGKILL');
    await eventually(
      'another control plane with all proxies',
      async () => {
        const now = await mesh.status();
        return now !== undefined && now.pid !== before.pid && now.proxies.length >= 3 ? true : undefined;
      },
      60_000,
    );
    await calls(10);
    await plain();
    await eventually(
      'what came after it in the report',
      async () => {
        const seen = (await mesh.edges()).filter(({ destination }) => destination.workload === 'pair/server');
        return seen.reduce((sum, { count }) => sum + count, 0) >= 92 ? true : undefined;
      },
      60_000,
    );
    // One that was taken in the moment of the kill comes again, with the same id.
    const ids = new Set(receiver.received.map(({ headers }) => headers['gatehouse-alert-id']));
    assert.equal(ids.size, 6, JSON.stringify(summaries()));
    assert.ok(receiver.received.length <= 7, JSON.stringify(summaries()));
  });
});
