// Certificates that last four seconds, replaced every two, under traffic.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { field, sendUntil } from './load.ts';
import { startPair, throughClient } from './pair.ts';
import type { RunningMesh } from './running-mesh.ts';

/** The serial number of the certificate that a proxy presents now. */
async function serialOf(mesh: RunningMesh, workload: string): Promise<string> {
  const found: { certificates: readonly { cert_chain: readonly { serial_number: string }[] }[] } = JSON.parse(
    await mesh.admin(workload, '/certs'),
  );
  const serial = found.certificates.flatMap((entry) => entry.cert_chain)[0]?.serial_number;
  assert.ok(serial, `no certificate at ${workload}`);
  return serial;
}

inBothCaptureModes('rotation under traffic', (capture) => {
  let mesh: RunningMesh;
  /** By the hash of the client's certificate, as the server's proxy saw it on the connection: calls. */
  const presented = new Map<string, number>();
  before('start a pair', async () => {
    mesh = await startPair(capture, ['--certificate-ttl', '4s']);
  });
  after(() => mesh?.stop());

  it('2,000 requests and three rotations on both sides: not one request fails', async () => {
    const serials = { client: new Set<string>(), server: new Set<string>() };
    presented.clear();
    const watching = new AbortController();
    const watch = (async () => {
      while (!watching.signal.aborted) {
        serials.client.add(await serialOf(mesh, 'pair/client'));
        serials.server.add(await serialOf(mesh, 'pair/server'));
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    })();
    const rotated = (): boolean => serials.client.size >= 4 && serials.server.size >= 4;
    const deadline = Date.now() + 40_000;
    const tally = await sendUntil(
      {
        ...throughClient(mesh),
        name: (reply) => {
          if (reply.status !== 200 || field(reply.body, 'upstream', 'target', 'status') !== 200) return undefined;
          const certificate = String(field(reply.body, 'upstream', 'target', 'body', 'headers', 'x-forwarded-client-cert'));
          const hash = /Hash=([0-9a-f]+)/.exec(certificate)?.[1] ?? certificate;
          presented.set(hash, (presented.get(hash) ?? 0) + 1);
          return 'ok';
        },
      },
      (sent) => (sent >= 2_000 && rotated()) || Date.now() > deadline,
    );
    watching.abort();
    await watch;
    assert.deepEqual(tally.failures.slice(0, 5), [], mesh.log());
    assert.ok(tally.sent >= 2_000, `only ${String(tally.sent)} requests in 40 s`);
    assert.ok(rotated(), `serials: client ${String(serials.client.size)}, server ${String(serials.server.size)}`);
    assert.ok(presented.size >= 3, `certificates seen on the wire: ${String(presented.size)}`);
  });

  it('the report says which certificate made how many of the calls, and on what evidence each was issued', async () => {
    const caDir = join(mesh.ready.runDir, 'ca');
    interface Used {
      readonly serial: string;
      readonly count: number;
      readonly evidence: string | null;
    }
    const client = 'spiffe://cluster.local/ns/pair/sa/client';
    const total = [...presented.values()].reduce((sum, count) => sum + count, 0);
    const used = await eventually('all calls in the store', async () => {
      const asked = ['audit', 'who', 'pair/server', '--db', mesh.auditFile, '--ca-dir', caDir, '-o', 'json'];
      const { code, stdout, stderr } = await mesh.gatehouse(...asked);
      assert.equal(code, 0, stderr);
      const { destinations }: { destinations: { didCall: { principal: string; calls: number; certificates: Used[] }[] }[] } =
        JSON.parse(stdout);
      const row = destinations[0]?.didCall.find(({ principal }) => principal === client);
      return row !== undefined && row.calls >= total ? row : undefined;
    });
    assert.equal(used.calls, total);
    const inventory = await mesh.gatehouse('audit', 'certificates', '--db', mesh.auditFile, '--ca-dir', caDir, '-o', 'json');
    const {
      certificates,
    }: { certificates: { serial: string; sha256?: string; calls: { certain: number; possible: number } }[] } = JSON.parse(
      inventory.stdout,
    );
    const hashes = new Map(certificates.map(({ serial, sha256 = '' }) => [serial.replace(/^0+/, ''), sha256]));
    assert.deepEqual(
      new Map(used.certificates.map(({ serial, count }) => [hashes.get(serial) ?? serial, count])),
      presented,
      'each certificate with exactly the calls in which the server saw it',
    );
    for (const { evidence } of used.certificates) assert.match(evidence ?? 'none', /^(token|certificate): /);
    for (const { sha256 = '', calls } of certificates)
      if (presented.has(sha256)) assert.deepEqual(calls, { certain: presented.get(sha256), possible: 0 });
  });

  it('every issuance is in the log of the authority', async () => {
    const entries = await eventually('issuances of both workloads', async () => {
      const { code, stdout, stderr } = await mesh.gatehouse('ca', 'log', '--ca-dir', join(mesh.ready.runDir, 'ca'), '-o', 'json');
      assert.equal(code, 0, stderr);
      return stdout.includes('ns/pair/sa/client') && stdout.includes('ns/pair/sa/server') ? stdout : undefined;
    });
    assert.ok(!entries.includes('PRIVATE KEY'));
  });
});
