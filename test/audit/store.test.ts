import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { Recorder } from '../../audit/intake/recorder.ts';
import { MIGRATIONS } from '../../audit/store/schema.ts';
import { openSqliteReader, sqliteFileReader } from '../../audit/store/sqlite-read.ts';
import { openSqliteStore } from '../../audit/store/sqlite.ts';
import type { AuditStore } from '../../audit/store/sql-store.ts';
import type { Observed, Period } from '../../audit/store/store.ts';
import { callsOf, distinct, edge } from './edges.ts';
import { NOW } from './world.ts';

const EVER: Period = { since: undefined, until: undefined };
const clock = (): Date => NOW;
const WRITER = fileURLToPath(new URL('./store-writer.ts', import.meta.url));

describe('audit: SQLite store', () => {
  let folder: string;
  let file: string;
  const open: AuditStore[] = [];
  const store = async (maxBytes?: number): Promise<AuditStore> => {
    const opened = await openSqliteStore({ file, clock, ...(maxBytes === undefined ? {} : { maxBytes }) });
    open.push(opened);
    return opened;
  };
  const read = (period = EVER): Promise<Observed> => sqliteFileReader(file).query(period);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-audit-'));
    file = join(folder, 'audit.db');
  });
  afterEach(async () => {
    for (const opened of open.splice(0)) await opened.close().catch(() => undefined);
    rmSync(folder, { recursive: true });
  });

  it('keeps all files to the owner', async () => {
    writeFileSync(file, '');
    chmodSync(file, 0o644);
    await (await store()).append({ edges: [edge()], losses: [] });
    for (const name of [file, `${file}-wal`, `${file}-shm`]) assert.equal(statSync(name).mode & 0o777, 0o600, name);
  });

  it('can be read while it is written, and a reader sees whole batches only', async () => {
    const writer = await store();
    await writer.append({ edges: [edge({ port: 1 }), edge({ port: 2 })], losses: [] });
    const reader = await openSqliteReader(file);
    try {
      for (let round = 2; round < 30; round++) {
        await writer.append({ edges: [edge({ port: 1 }), edge({ port: 2 })], losses: [] });
        assert.deepEqual(
          (await reader.query(EVER)).edges.map(({ tally }) => tally.count),
          [round, round],
        );
      }
    } finally {
      await reader.close();
    }
  });

  it('is whole after kill -9, has all that append resolved for, and tells of the gap', async function () {
    this.timeout(30_000);
    for (const enough of [1, 7, 40]) {
      file = join(folder, `killed-${enough}.db`);
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', WRITER, file], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let told = '';
      await new Promise<void>((resolve, reject) => {
        child.once('exit', () => reject(new Error('the writer ended by itself')));
        child.stdout.on('data', (chunk: Buffer) => {
          told += chunk.toString();
          if (told.split('\n').length > enough) resolve();
        });
      });
      child.removeAllListeners('exit');
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      const batches = told.split('\n').length - 1;
      const before = await read();
      const { integrity_check: verdict } =
        new DatabaseSync(file, { readOnly: true }).prepare('PRAGMA integrity_check').get() ?? {};
      assert.equal(verdict, 'ok');
      assert.equal(callsOf(before.edges) % 10, 0, 'no half batch');
      assert.ok(callsOf(before.edges) >= batches * 10, `${callsOf(before.edges)} calls of ${batches} batches`);
      assert.deepEqual(before.gaps, [], 'the writer may still be at work');
      const next = await openSqliteStore({ file, clock: () => new Date() });
      await next.append({ edges: [edge()], losses: [] });
      const after = await next.query(EVER);
      await next.close();
      assert.deepEqual(
        after.gaps.map(({ killed }) => killed),
        [true],
      );
      assert.equal(callsOf(after.edges), callsOf(before.edges) + 1);
    }
  });

  it('tells when nobody was there to record, in the periods that it touches', async () => {
    const run = async (started: string, stopped: string): Promise<void> => {
      let now = Date.parse(`2026-03-01T${started}Z`);
      const writer = await openSqliteStore({ file, clock: () => new Date(now), run: started });
      now = Date.parse(`2026-03-01T${stopped}Z`);
      await writer.close();
    };
    await run('10:00:00', '11:00:00');
    assert.equal(existsSync(`${file}-wal`), false);
    assert.deepEqual((await read()).gaps, []);
    await run('11:05:00', '12:00:00');
    const [from, until] = [Date.parse('2026-03-01T11:00:00Z'), Date.parse('2026-03-01T11:05:00Z')];
    assert.deepEqual((await read()).gaps, [{ from, until, killed: false }]);
    assert.equal((await read({ since: from + 1, until: from + 2 })).gaps.length, 1);
    assert.deepEqual((await read({ since: until, until: undefined })).gaps, []);
    assert.deepEqual((await read({ since: undefined, until: from })).gaps, []);
  });

  it('tells of no gap when a recorder only opened its store anew', async () => {
    let now = NOW.getTime();
    const opened = (): Promise<AuditStore> => openSqliteStore({ file, clock: () => new Date(now), run: 'one' });
    const broken = await opened();
    open.push(broken);
    now += 60_000;
    await (await opened()).close();
    assert.deepEqual((await read()).gaps, []);
  });

  it('brings the file of an older version up to date, and keeps what is in it', async () => {
    const db = new DatabaseSync(file);
    db.exec(`CREATE TABLE migration (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL) STRICT; ${MIGRATIONS[0] ?? ''}`);
    db.exec(
      "INSERT INTO migration VALUES (1, 0); INSERT INTO loss VALUES (5, 'malformed', 9); INSERT INTO writer VALUES (1, 10, 20, 30)",
    );
    db.close();
    await assert.rejects(async () => read(), /older schema 1; start the control plane once/);
    await (await store()).append({ edges: [edge()], losses: [] });
    const { edges, losses, gaps } = await read();
    assert.deepEqual([edges.length, losses], [1, [{ minute: 5, reason: 'malformed', count: 9 }]]);
    assert.deepEqual(gaps, [{ from: 30, until: NOW.getTime(), killed: false }]);
  });

  it('adds up what an older version wrote, so that series have it too', async () => {
    const old = await store();
    await old.append({
      edges: [edge(), edge({ port: 9 }), edge({ verdict: { kind: 'denied-token' } }), edge({ time: NOW.getTime() - 120_000 })],
      losses: [],
    });
    await old.close();
    const step = MIGRATIONS.findIndex((sql) => sql.includes('CREATE TABLE total_group'));
    const db = new DatabaseSync(file);
    db.exec(`DROP TABLE alert_told; DROP TABLE total; DROP TABLE total_group; DELETE FROM migration WHERE version > ${step}`);
    db.close();
    const now = await store();
    await now.append({ edges: [edge()], losses: [] });
    const points = await now.series({ ...EVER, filter: { namespace: 'shop' }, stepMs: 60_000 });
    assert.deepEqual(
      points.map(({ calls, denied }) => [calls, denied]),
      [
        [1, 0],
        [4, 1],
      ],
    );
    await now.close();
  });

  it('refuses a batch whole when the disk is full, and goes on when there is room', async () => {
    const small = await store(16 * 4096);
    const many = Array.from({ length: 2000 }, (_, port) => edge({ port }));
    await assert.rejects(small.append({ edges: many, losses: [] }), /full/);
    assert.deepEqual((await small.query(EVER)).edges, []);
    await small.append({ edges: [edge()], losses: [] });
    assert.equal(callsOf((await small.query(EVER)).edges), 1);
    await small.close();
    const roomy = await store();
    await roomy.append({ edges: many, losses: [] });
    assert.equal(callsOf((await roomy.query(EVER)).edges), 2001);
  });

  it('on a full disk the recorder keeps counts and loses none when there is room again', async () => {
    let maxBytes: number | undefined = 16 * 4096;
    const recorder = new Recorder({
      open: () => store(maxBytes),
      log: pino({ level: 'silent' }),
      clock,
      flushMs: 1,
    });
    await recorder.accept(distinct(2000));
    assert.equal(await recorder.flush(), false);
    assert.equal(await recorder.flush(), false);
    assert.equal(recorder.stats.waiting, 2000);
    maxBytes = undefined;
    while (recorder.stats.storeErrors < 3) assert.equal(await recorder.flush(), false);
    assert.equal(await recorder.flush(), true);
    await recorder.close();
    assert.equal(callsOf((await read()).edges), 2000);
    assert.deepEqual(recorder.stats.lost, { 'queue-full': 0, 'agent-queue-full': 0, malformed: 0, refused: 0, shutdown: 0 });
  });

  describe('refuses, saying why,', () => {
    it('a file that is not there', () => assert.rejects(openSqliteReader(file), /there is no audit store at /));
    it('a file that is no database', async () => {
      writeFileSync(file, 'x'.repeat(5000));
      await assert.rejects(openSqliteReader(file), /not a database/);
      await assert.rejects(store(), /not a database/);
    });
    it('another database', async () => {
      new DatabaseSync(file).exec('CREATE TABLE t (x)');
      await assert.rejects(openSqliteReader(file), /is not an audit store/);
    });
    it('the schema of a newer version, to read and to write', async () => {
      await (await store()).append({ edges: [edge()], losses: [] });
      const db = new DatabaseSync(file);
      db.exec('INSERT INTO migration (version, applied) VALUES (99, 0)');
      db.close();
      await assert.rejects(openSqliteReader(file), /newer version \(schema 99\)/);
      await assert.rejects(store(), /schema 99, written by a newer version/);
    });
    it('rows that the schema does not know', async () => {
      const writer = await store();
      await writer.append({ edges: [edge()], losses: [] });
      const db = new DatabaseSync(file);
      db.exec("UPDATE edge SET verdict = 'maybe'");
      db.close();
      await assert.rejects(read(), /column verdict has an unknown value/);
    });
  });
});
