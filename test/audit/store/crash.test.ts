import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { Recorder } from '../../../audit/intake/recorder.ts';
import { openSqliteStore } from '../../../audit/store/sqlite.ts';
import { sqliteFileReader, type StoreQuestions } from '../../../audit/store/sqlite-read.ts';
import { eventually } from '../../eventually.ts';
import { callsOf, distinct, edge, record } from '../edges.ts';
import { EVER } from './contract.ts';
import { PostgresServer } from './postgres-server.ts';
import { sqlitePlace } from './sqlite-place.ts';

const WRITER = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
const log = pino({ level: 'silent' });
const clock = (): Date => new Date();

/** Starts a writer, and kills it once it has told of so many batches. How many it told of. */
async function killedAfter(where: string, from: number, enough: number): Promise<number> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', WRITER, where, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  let told = '';
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('the writer ended by itself')));
      child.stdout.on('data', (chunk: Buffer) => {
        told += chunk.toString();
        if (told.split('\n').length > enough) resolve();
      });
    });
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
  return Number(told.trimEnd().split('\n').at(-1));
}

/** Kills a writer again and again: whatever it had told of is there, nothing counts twice, and every level says so. */
async function survives(where: string, read: StoreQuestions): Promise<void> {
  let batches = 0;
  for (const enough of [3, 40, 97, 150, 61]) {
    const told = await killedAfter(where, batches, enough);
    const calls = callsOf((await read.query(EVER)).edges);
    assert.equal(calls % 10, 0, 'no half batch');
    // At most the one that was written, and could not be told of any more.
    assert.ok(calls / 10 === told || calls / 10 === told + 1, `${calls} calls, ${told} batches told of`);
    batches = calls / 10;
    for (const stepMs of [60_000, 3_600_000, 86_400_000]) {
      const points = await read.series({ ...EVER, stepMs });
      assert.equal(
        points.reduce((sum, point) => sum + point.calls, 0),
        calls,
        `by ${stepMs} ms`,
      );
    }
  }
}

describe('audit: stores through crashes', function () {
  this.timeout(120_000);
  let server: PostgresServer | undefined;
  const postgres = (context: Mocha.Context): PostgresServer => server ?? context.skip();
  before(async () => {
    server = await PostgresServer.start();
  });
  after(() => server?.close());

  it('SQLite: kill -9 of the writer', async () => {
    const place = await sqlitePlace();
    try {
      await survives(place.file, place.read);
    } finally {
      await place.close();
    }
  });

  it('PostgreSQL: kill -9 of the writer', async function () {
    const place = await postgres(this).place();
    await survives(place.url, place.read);
    await place.close();
  });

  it('PostgreSQL: kill -9 of the server under a writer: each batch counts once', async function () {
    const running = postgres(this);
    const place = await running.place();
    const store = await place.open({ clock });
    let written = 0;
    const going = new AbortController();
    let failures = 0;
    const writing = (async () => {
      while (!going.signal.aborted) {
        // As the recorder does: a batch that was rejected is tried again.
        const tried = await store.append({ edges: [edge({ port: written % 7 }), edge({ port: 100 })], losses: [] }).then(
          () => true,
          () => false,
        );
        if (tried) written++;
        else {
          failures++;
          await setTimeout(20);
        }
      }
    })();
    for (const signal of ['SIGKILL', 'SIGINT', 'SIGKILL'] as const) {
      const before = written;
      await eventually('batches are written', () => (written > before + 20 ? true : undefined), 60_000);
      await running.stop(signal);
      await running.run();
    }
    const before = written;
    await eventually('batches are written again', () => (written > before + 5 ? true : undefined), 60_000);
    going.abort();
    await writing;
    assert.ok(failures > 0);
    assert.equal(callsOf((await place.read.query(EVER)).edges), 2 * written);
    await store.close();
    await place.close();
  });

  it('PostgreSQL is away: records wait, streams are paused, and all is written when it is back', async function () {
    const running = postgres(this);
    const place = await running.place();
    const recorder = new Recorder({
      open: () => place.open({ clock }),
      log,
      clock,
      flushMs: 5,
      capacity: 500,
      patienceMs: 60_000,
    });
    const at = (): { time: number } => ({ time: Date.now() });
    await recorder.accept([record(at())]);
    await eventually('the first is written', () => (recorder.stats.written === 1 ? true : undefined));
    await running.stop('SIGKILL');
    await recorder.accept(distinct(400).map((one) => ({ ...one, ...at() })));
    let paused = true;
    const more = recorder.accept(distinct(400, 400).map((one) => ({ ...one, ...at() }))).then(() => (paused = false));
    await eventually('it is tried again', () => (recorder.stats.storeErrors > 1 ? true : undefined));
    assert.ok(paused, 'a stream that brings more than there is room for stands still');
    await running.run();
    await more;
    await eventually('all are written', () => (recorder.stats.written === 801 ? true : undefined), 60_000);
    await recorder.close();
    assert.ok(Object.values(recorder.stats.lost).every((count) => count === 0));
    assert.equal(callsOf((await place.read.query(EVER)).edges), 801);
    await place.close();
  });

  it('SQLite: a disk that is full loses nothing when there is room again', async function () {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-full-'));
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      rmSync(folder, { recursive: true });
      return this.skip();
    }
    const file = join(disk, 'audit.db');
    const recorder = new Recorder({ open: () => openSqliteStore({ file, clock }), log, clock, flushMs: 5, batch: 50 });
    try {
      await recorder.accept([{ ...record(), time: Date.now() }]);
      assert.equal(await recorder.flush(), true);
      execFileSync('sh', ['-c', `cat /dev/zero > ${join(disk, 'other')} 2>/dev/null || true`]);
      await recorder.accept(distinct(1500).map((one) => ({ ...one, time: Date.now() })));
      await eventually('it cannot be written', () => (recorder.stats.storeErrors > 1 ? true : undefined));
      assert.ok(recorder.stats.waiting > 0);
      rmSync(join(disk, 'other'));
      execFileSync('mount', ['-o', 'remount,size=64m', disk]);
      await eventually('all are written', () => (recorder.stats.written === 1501 ? true : undefined), 60_000);
      await recorder.close();
      assert.equal(callsOf((await sqliteFileReader(file).query(EVER)).edges), 1501);
      assert.ok(Object.values(recorder.stats.lost).every((count) => count === 0));
    } finally {
      await recorder.close();
      execFileSync('umount', [disk]);
      rmSync(folder, { recursive: true });
    }
  });

  it('SQLite: a damaged file is told of, with what to do', async () => {
    const place = await sqlitePlace();
    const store = await place.open({ clock });
    await store.append({ edges: Array.from({ length: 5000 }, (_, port) => edge({ port })), losses: [] });
    await store.close();
    const file = openSync(place.file, 'r+');
    const garbage = Buffer.alloc(4096, 0xa5);
    for (let page = 1; page < statSync(place.file).size / 4096; page++) writeSync(file, garbage, 0, 4096, page * 4096);
    closeSync(file);
    const said = /audit\.db is damaged \(.*\): move it away together with .*audit\.db-wal .* a new one is made/;
    await assert.rejects(place.read.query(EVER), said);
    await assert.rejects(place.open({ clock }), said);
    writeFileSync(place.file, 'not a database'.repeat(1000));
    await assert.rejects(place.open({ clock }), said);
    await place.close();
  });
});
