import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openCallStore } from '../../../audit/store/calls.ts';
import { openPostgresReader } from '../../../audit/store/postgres.ts';
import { passwordIn } from '../../../audit/store/password.ts';
import { MIGRATIONS } from '../../../audit/store/schema.ts';
import { parseHostname } from '../../../mesh/model/hostname.ts';
import { edge } from '../edges.ts';
import { EVER } from './contract.ts';
import { PostgresServer } from './postgres-server.ts';

const MAIN = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
const PASSWORD = 'correct horse battery';
const clock = (): Date => new Date();

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('audit: a password file', () => {
  const login = { host: 'db.example', port: '5432', database: 'audit', user: 'gatehouse' };
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['db.example:5432:audit:gatehouse:secret', 'secret'],
    ['*:*:*:*:with\\:colon and \\\\ and : more', 'with:colon and \\ and : more'],
    ['# db.example:5432:audit:gatehouse:no\nother:*:*:*:no\ndb.example:*:*:gatehouse:yes\n*:*:*:*:late', 'yes'],
    ['db.example:5432:audit:somebody:no', undefined],
    ['db.example:5432:audit:gatehouse', undefined],
    ['', undefined],
  ];
  for (const [text, password] of lines) it(JSON.stringify(text), () => assert.equal(passwordIn(text, login), password));
  it('names sockets by localhost or their folder', () => {
    for (const host of ['localhost', '/run/postgresql', '*'])
      assert.equal(passwordIn(`${host}:5432:audit:gatehouse:secret`, { ...login, host: '/run/postgresql' }), 'secret');
  });
});

describe('audit: replicas share a database', function () {
  this.timeout(120_000);
  let server: PostgresServer;
  before(async function () {
    const started = await PostgresServer.start();
    if (started === undefined) return this.skip();
    server = started;
    await server.userWithPassword('careful', PASSWORD);
  });
  after(() => server?.close());

  it('that they bring up to date once, however many start at once', async () => {
    const place = await server.place();
    const stores = await Promise.all(Array.from({ length: 8 }, (_, index) => place.open({ clock, run: `replica ${index}` })));
    const steps = await server.query(place.database, 'SELECT version FROM migration ORDER BY version');
    assert.deepEqual(
      steps.map((row) => Number(row['version'])),
      MIGRATIONS.map((_, index) => index + 1),
    );
    await Promise.all(stores.map((store) => store.append({ edges: [edge()], losses: [] })));
    await Promise.all(stores.map((store) => store.close()));
    assert.deepEqual((await place.read.query(EVER)).gaps, []);
    await place.close();
  });

  it('whose password is read from a file, anew for each connection, and told to nobody', async () => {
    const place = await server.place();
    await (await place.open({ clock })).close();
    const passwordFile = join(server.folder, 'password');
    const location = { ...place.location, url: place.location.url.replace('gatehouse@', 'careful@'), passwordFile };
    writeFileSync(passwordFile, 'something else\n', { mode: 0o600 });
    await assert.rejects(openPostgresReader(location), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /password authentication failed/);
      assert.doesNotMatch(error.message, /something else/);
      return true;
    });
    writeFileSync(passwordFile, `${PASSWORD}\n`);
    const reader = await openPostgresReader(location);
    assert.deepEqual((await reader.query(EVER)).edges, []);
    await reader.close();
    await place.close();
  });

  it('refuses a database that is none of ours, or of a newer version', async () => {
    const place = await server.place();
    await assert.rejects(openPostgresReader(place.location), /postgres:\/\/.* is not an audit store/);
    await (await place.open({ clock })).close();
    await server.query(place.database, 'INSERT INTO migration VALUES (99, 0)');
    await assert.rejects(openPostgresReader(place.location), /newer version \(schema 99\)/);
    await assert.rejects(place.open({ clock }), /schema 99, written by a newer version/);
    await place.close();
  });

  it('remembers which workload calls what, for all of them', async () => {
    const place = await server.place();
    const [one, other] = [await openCallStore(place.location, clock), await openCallStore(place.location, clock)];
    const service = parseHostname('app.shop.svc.cluster.local');
    assert.ok(service !== undefined);
    await Promise.all([
      one.write([{ workload: 'shop/web', service, firstSeen: 5, lastSeen: 9 }], 0),
      other.write([{ workload: 'shop/web', service, firstSeen: 2, lastSeen: 7 }], 0),
    ]);
    assert.deepEqual(await one.read(0), [{ workload: 'shop/web', service, firstSeen: 2, lastSeen: 9 }]);
    await other.write([], 10);
    assert.deepEqual(await one.read(0), []);
    await Promise.all([one.close(), other.close()]);
    await place.close();
  });

  it('gatehouse audit report --db postgres://', async () => {
    const place = await server.place();
    const store = await place.open({ clock });
    await store.append({ edges: [edge({ time: Date.now() }), edge({ time: Date.now(), port: 9 })], losses: [] });
    const passfile = join(server.folder, 'passfile');
    writeFileSync(passfile, `*:*:*:careful:${PASSWORD}\n`, { mode: 0o600 });
    const run = (env: NodeJS.ProcessEnv): Promise<Ended> =>
      new Promise((resolve) => {
        execFile(
          process.execPath,
          ['--disable-warning=ExperimentalWarning', MAIN, 'audit', 'report', '-o', 'json'],
          { env: { ...process.env, GATEHOUSE_AUDIT_DB: place.url.replace('gatehouse@', 'careful@'), ...env } },
          (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
        );
      });
    const { code, stdout, stderr } = await run({ PGPASSFILE: passfile });
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal((JSON.parse(stdout) as { totals: { calls: number } }).totals.calls, 2);
    assert.doesNotMatch(stdout + stderr, new RegExp(PASSWORD));
    const wrong = await run({ PGPASSFILE: '/nonexistent', PGPASSWORD: 'wrong horse' });
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      /the audit store at postgres:\/\/.* cannot be used: password authentication failed for user "careful"/,
    );
    assert.doesNotMatch(wrong.stderr, /wrong horse/);
    await store.close();
    await place.close();
  });
});
