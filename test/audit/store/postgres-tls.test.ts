// The store over TLS: a real server that takes nothing else, with a certificate that is verified; and several replicas that write to it at once.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseStoreLocation, type StoreLocation } from '../../../audit/store/location.ts';
import { openPostgresReader, openPostgresStore } from '../../../audit/store/postgres.ts';
import { eventually } from '../../eventually.ts';
import { below, randomOf } from '../../fuzz/random.ts';
import { callsOf, edge } from '../edges.ts';
import { TestAuthority } from '../envoy/certificates.ts';
import { type Agent, certificates, clock, type ControlPlane, startAgent, startControlPlane } from '../relay/world.ts';
import { EVER } from './contract.ts';
import { PostgresServer } from './postgres-server.ts';

const PASSWORD = 'correct horse battery staple';

describe('audit: PostgreSQL over TLS', function () {
  this.timeout(180_000);
  let server: PostgresServer | undefined;
  let port = 0;
  let authority: TestAuthority;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-postgres-tls-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  before(async function () {
    server = await PostgresServer.start();
    if (server === undefined) return this.skip();
    authority = await TestAuthority.create();
    port = await server.serveTls(await authority.issueForHost('localhost'), 'replica', PASSWORD);
    file('password', PASSWORD);
    file('root.pem', authority.root);
  });
  after(async () => {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function locationAt(
    database: string,
    parameters: Readonly<Record<string, string>>,
    host = 'localhost',
  ): Extract<StoreLocation, { engine: 'postgres' }> {
    const query = new URLSearchParams(parameters).toString();
    const parsed = parseStoreLocation(`postgres://replica@${host}:${port}/${database}?${query}`, join(folder, 'password'));
    if (!parsed.ok || parsed.value.engine !== 'postgres') throw new Error('no location');
    return parsed.value;
  }

  it('verifies the certificate and its name in every mode but disable, and never falls back to plain text', async () => {
    assert.ok(server);
    const place = await server.place();
    const sslrootcert = join(folder, 'root.pem');
    const stranger = file('stranger.pem', (await TestAuthority.create()).root);
    const store = await openPostgresStore({
      location: locationAt(place.database, { sslmode: 'verify-full', sslrootcert }),
      clock,
    });
    await store.append({ edges: [edge()], losses: [] });
    for (const sslmode of ['require', 'verify-ca', 'verify-full']) {
      const reader = await openPostgresReader(locationAt(place.database, { sslmode, sslrootcert }));
      assert.equal(callsOf((await reader.query(EVER)).edges), 1, sslmode);
      await reader.close();
      const refused = (parameters: Readonly<Record<string, string>>, host?: string): Promise<unknown> =>
        openPostgresReader(locationAt(place.database, { sslmode, ...parameters }, host));
      await assert.rejects(
        refused({ sslrootcert: stranger }),
        /self-signed|unable to (get|verify)|signature failure/,
        `${sslmode}: another root`,
      );
      await assert.rejects(
        refused({}),
        /self-signed|unable to (get|verify)|signature failure/,
        `${sslmode}: the machine's authorities`,
      );
      await assert.rejects(refused({ sslrootcert }, '127.0.0.1'), /does not match|IP/, `${sslmode}: another name`);
    }
    await assert.rejects(openPostgresReader(locationAt(place.database, { sslmode: 'disable' })), /no pg_hba.conf entry/);
    const [row] = await server.query(
      'postgres',
      `SELECT count(*) AS plain FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = 'replica' AND NOT ssl`,
    );
    assert.equal(Number(row?.['plain']), 0);
    await store.close();
    await place.close();
  });

  const SEED = 20_261_122;
  it(`counts each record once, of agents that go from replica to replica while all write the same edges (seed ${SEED})`, async () => {
    assert.ok(server);
    const place = await server.place();
    const location = locationAt(place.database, { sslmode: 'verify-full', sslrootcert: join(folder, 'root.pem') });
    const issued = await certificates();
    const random = randomOf(SEED, 0);
    const agents: Agent[] = [];
    const running: ControlPlane[] = [];
    let sent = 0;
    try {
      for (const name of ['one', 'two', 'three', 'four']) agents.push(await startAgent(folder, name, issued));
      for (let round = 0; round < 5; round++) {
        const replicas = await Promise.all(
          Array.from({ length: 3 }, () =>
            startControlPlane(() => openPostgresStore({ location, clock, run: `replica ${running.length}` }), issued, {
              flushMs: 10 + below(random, 150),
            }),
          ),
        );
        for (const [index, agent] of agents.entries()) agent.port = replicas[(index + round) % replicas.length]?.port ?? 0;
        // One goes without a word, with what it has not written.
        const dead = running.splice(0);
        if (dead[0] !== undefined) dead[0].diesAfterWrite = true;
        for (const one of dead) one.cutOff();
        running.push(...replicas);
        for (let message = 0; message < 30; message++)
          for (const agent of agents) {
            const calls = 1 + below(random, 6);
            agent.envoy.send(calls);
            sent += calls;
          }
        await eventually('each replica has received something', () =>
          replicas.every(({ recorder }) => recorder.stats.received > 0) ? true : undefined,
        );
        for (const one of dead) await one.kill();
      }
      const counted = async (): Promise<number> => callsOf((await place.read.query(EVER)).edges);
      await eventually(
        `${sent} calls`,
        async () => {
          const now = await counted();
          assert.ok(now <= sent, `${now} calls where ${sent} were made`);
          return now === sent ? true : undefined;
        },
        60_000,
      );
      await Promise.all(running.map(({ recorder }) => recorder.flush()));
      assert.equal(await counted(), sent);
      assert.deepEqual((await place.read.query(EVER)).losses, []);
      const points = await place.read.series({ ...EVER, stepMs: 60_000 });
      assert.equal(
        points.reduce((sum, { calls }) => sum + calls, 0),
        sent,
      );
    } finally {
      for (const agent of agents) {
        await agent.close();
        await agent.log.stop(0);
      }
      for (const one of running) await one.kill();
      await place.close();
    }
  });
});
