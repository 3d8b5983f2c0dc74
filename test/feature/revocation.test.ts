// An identity or a certificate is cut off while its connections are open; others go on; it can be lifted, and it outlives kill -9.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { inBothCaptureModes } from './capture-modes.ts';
import { send } from './load.ts';
import { meshCertificate } from './mesh-certificate.ts';
import { startPair, throughClient } from './pair.ts';
import { get, type RunningMesh } from './running-mesh.ts';
import { TlsConnection } from './tls-connection.ts';

const CLIENT = 'cluster.local/ns/pair/sa/client';
const WITHIN_MS = 2_000;

inBothCaptureModes('revocation', (capture) => {
  let mesh: RunningMesh;
  const open: TlsConnection[] = [];
  before('start a pair', async () => {
    mesh = await startPair(capture);
  });
  after(async () => {
    for (const connection of open) connection.close();
    await mesh?.stop();
  });

  const certificate = (name: 'client' | 'server') => meshCertificate(mesh, 'pair', name, mesh.workload(`pair/${name}`).pod);
  const connect = (own: { cert: string; key: string }): TlsConnection => {
    const connection = new TlsConnection(mesh.workload('pair/server').ip, 8080, own);
    open.push(connection);
    return connection;
  };
  const ca = async (...args: readonly string[]): Promise<string> => {
    const done = await mesh.gatehouse('ca', ...args, '--ca-dir', join(mesh.ready.runDir, 'ca'));
    assert.equal(done.code, 0, done.stderr);
    return done.stdout;
  };
  /** How long until a connection gets this answer. */
  const until = async (connection: TlsConnection, wanted: string, what: string): Promise<number> => {
    const began = performance.now();
    await eventually(what, async () => ((await connection.status()) === wanted ? true : undefined), 10_000);
    return performance.now() - began;
  };
  const statusThroughClient = async (): Promise<string> => {
    const [[status] = ['nothing']] = (
      await send(
        {
          ...throughClient(mesh),
          name: (reply) => (reply.status === 200 ? throughClient(mesh).name(reply) : `gateway ${reply.status}`),
        },
        1,
      )
    ).counts;
    return status;
  };
  const works = (what: string) =>
    eventually(what, async () => ((await statusThroughClient()) === '200' ? true : undefined), 40_000).catch((error: Error) =>
      assert.fail(`${error.message}\n${mesh.log()}`),
    );

  it('an identity: refused on open connections and on new ones within 2 s, while another caller goes on', async () => {
    const own = await certificate('client');
    const [cut, other] = [connect(own), connect(await certificate('server'))];
    assert.deepEqual([await cut.status(), await other.status()], ['200', '200']);
    const told = await ca('revoke', '--identity', CLIENT, '--reason', 'keyCompromise');
    assert.match(told, /revoked: spiffe:\/\/cluster\.local\/ns\/pair\/sa\/client \(\d+ valid certificates?\)/);
    const took = await until(cut, '403', 'a refusal on the open connection');
    assert.ok(took < WITHIN_MS, `${took} ms`);
    assert.equal(await other.status(), '200');
    const fresh = connect(own);
    await until(fresh, 'refused', 'a refused handshake');
    assert.equal(await other.status(), '200');
    assert.deepEqual([cut.ports.size, other.ports.size], [1, 1], 'connections were cut, not requests refused');
    // Callers of the client leave it, too.
    await eventually(
      'the gateway to have nobody to ask',
      async () => ((await statusThroughClient()) === 'gateway 503' ? true : undefined),
      WITHIN_MS,
    );
  });

  it('the denial names itself in the audit', async () => {
    await eventually('the edge', async () => {
      const edges = await mesh.edges();
      return edges.some(({ policy, decision }) => policy === 'gatehouse-revoked' && decision === 'DENY') ? true : undefined;
    });
  });

  it('a new certificate for it is refused, and says why', async () => {
    await assert.rejects(certificate('client'), /PERMISSION_DENIED.*ns\/pair\/sa\/client was revoked at .*keyCompromise/);
    await eventually('its proxy to be without a stream', async () =>
      (await mesh.status())?.proxies.some(({ node }) => node.includes(mesh.workload('pair/client').pod)) ? undefined : true,
    );
  });

  it('kill -9 of the control plane: still revoked when it is back', async () => {
    const before = await eventually('control plane status', () => mesh.status());
    process.kill(before.pid, 'SIGKILL');
    await eventually(
      'the control plane to come back',
      async () => {
        const now = await mesh.status();
        return now !== undefined && now.pid !== before.pid && now.proxies.length >= before.proxies.length ? true : undefined;
      },
      30_000,
    );
    const listed: { revocations: readonly { identity: string; reason: string; by: string }[] } = JSON.parse(
      await ca('revoked', '-o', 'json'),
    );
    assert.deepEqual(
      listed.revocations.map(({ identity, reason }) => [identity, reason]),
      [[`spiffe://${CLIENT}`, 'keyCompromise']],
    );
    await assert.rejects(certificate('client'), /PERMISSION_DENIED/);
    assert.notEqual(await statusThroughClient(), '200');
  });

  it('lifted, it works again', async () => {
    await ca('revoke', '--identity', CLIENT, '--undo');
    await works('calls through the client');
    const again = connect(await certificate('client'));
    await until(again, '200', 'an answer');
    const twice = await mesh.gatehouse('ca', 'revoke', '--identity', CLIENT, '--undo', '--ca-dir', join(mesh.ready.runDir, 'ca'));
    assert.equal(twice.code, 1);
    assert.match(twice.stderr, /is not revoked/);
  });

  it('a serial: only that certificate is refused, on open connections and new ones', async () => {
    const [stolen, other] = [await certificate('client'), await certificate('client')];
    const [cut, good] = [connect(stolen), connect(other)];
    assert.deepEqual([await cut.status(), await good.status()], ['200', '200']);
    await ca('revoke', '--serial', new X509Certificate(stolen.cert).serialNumber);
    const took = await until(cut, '403', 'a refusal on the open connection');
    assert.ok(took < WITHIN_MS, `${took} ms`);
    await until(connect(stolen), 'refused', 'a refused handshake');
    assert.equal(await good.status(), '200');
    assert.deepEqual([cut.ports.size, good.ports.size], [1, 1]);
    assert.equal(await connect(other).status(), '200');
  });

  it('a serial in use by a proxy: its agent hears of it and gets another certificate at once', async () => {
    const serialInUse = async (): Promise<string> => {
      const found: { certificates: readonly { cert_chain: readonly { serial_number: string }[] }[] } = JSON.parse(
        await mesh.admin('pair/client', '/certs'),
      );
      return found.certificates.flatMap((entry) => entry.cert_chain)[0]?.serial_number ?? '';
    };
    const revoked = await serialInUse();
    await ca('revoke', '--serial', revoked);
    await eventually('another certificate', async () => ((await serialInUse()) === revoked ? undefined : true), 30_000);
    await works('calls through the client');
    assert.equal((await get(mesh.gateway, '/call?url=http://server:8080/', { host: 'pair.localhost' })).status, 200);
  });
});
