import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { CallRecorder, type CallsOptions } from '../../audit/intake/calls.ts';
import type { AccessRecord } from '../../audit/model/record.ts';
import { type CallStore, openCallStore } from '../../audit/store/calls.ts';
import { openSqliteStore } from '../../audit/store/sqlite.ts';
import { openSqliteReader } from '../../audit/store/sqlite-read.ts';
import { record } from './edges.ts';
import { NOW } from './world.ts';

const HOUR = 3_600_000;
const APP = 'app.shop.svc.cluster.local';

/** A call as the caller's own proxy reports it. */
const out = (change: Partial<AccessRecord> = {}): AccessRecord => record({ side: 'outbound', hop: 'out', ...change });

describe('which services a workload calls', () => {
  let folder = '';
  let now = NOW.getTime();
  const opened: CallRecorder[] = [];
  const clock = (): Date => new Date(now);
  const file = (): string => join(folder, 'audit.db');
  const location = () => ({ engine: 'sqlite', file: file() }) as const;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-calls-'));
    now = NOW.getTime();
  });
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = async (change: Partial<CallsOptions> = {}): Promise<CallRecorder> => {
    const made = new CallRecorder({
      open: () => openCallStore(location(), clock),
      isService: (host) => host.endsWith('.svc.cluster.local'),
      windowMs: 24 * HOUR,
      clock,
      log: pino({ level: 'silent' }),
      flushMs: HOUR,
      ...change,
    });
    opened.push(made);
    await made.loaded;
    return made;
  };
  const called = (calls: CallRecorder, workload = 'shop/web') => [...calls.calledBy(workload)].map(([host]) => String(host));

  it('is what its own proxy says', async () => {
    const calls = await start();
    const records = [
      out(),
      record(),
      record({ side: 'gateway', hop: 'out' }),
      out({ service: 'elsewhere.test' }),
      out({ service: undefined }),
      out({ service: 'not a host' }),
      out({ source: { principal: undefined, workload: undefined, address: '10.0.0.9' } }),
      out({ service: 'denied.shop.svc.cluster.local', reached: false, verdict: { kind: 'unreached', cause: 'UF' } }),
    ];
    calls.observe(records);
    assert.deepEqual(called(calls), [APP, 'denied.shop.svc.cluster.local']);
    assert.deepEqual(called(calls, 'shop/app'), []);
  });

  it('is there after a restart, and after a kill as far as it was written', async () => {
    const first = await start();
    first.observe([out()]);
    await first.flush();
    first.observe([out({ service: 'late.shop.svc.cluster.local' })]);
    assert.deepEqual(called(await start()), [APP], 'read beside the one that has it open');
    await first.close();
    assert.deepEqual(called(await start()).sort(), [APP, 'late.shop.svc.cluster.local']);
    assert.equal(statSync(file()).mode & 0o777, 0o600);
  });

  it('ends with the window, in memory and in the store', async () => {
    const calls = await start();
    calls.observe([out()]);
    now += 20 * HOUR;
    calls.observe([out({ time: now, service: 'other.shop.svc.cluster.local' })]);
    now += 5 * HOUR;
    assert.deepEqual(called(calls), ['other.shop.svc.cluster.local']);
    await calls.close();
    assert.deepEqual(called(await start()), ['other.shop.svc.cluster.local']);
    const store = await openCallStore(location(), clock);
    assert.equal((await store.read(0)).length, 1, 'what left the window went with what was written');
    await store.close();
  });

  it('is the same object while the same services are called, but for their times now and then', async () => {
    const calls = await start();
    calls.observe([out()]);
    const before = calls.calledBy('shop/web');
    calls.observe([out({ time: now + 1_000 }), out({ time: now + 60_000 })]);
    assert.equal(calls.calledBy('shop/web'), before);
    calls.observe([out({ time: now + HOUR })]);
    assert.notEqual(calls.calledBy('shop/web'), before);
    assert.deepEqual([...calls.calledBy('shop/web').values()], [{ firstSeen: now, lastSeen: now + HOUR }]);
  });

  it('waits for a store that cannot be used', async () => {
    let broken = true;
    const open = (): Promise<CallStore> => (broken ? Promise.reject(new Error('disk full')) : openCallStore(location(), clock));
    const other = await openCallStore(location(), clock);
    const calls = await start({ open });
    calls.observe([out()]);
    await calls.flush();
    assert.deepEqual(called(calls), [APP]);
    broken = false;
    await calls.flush();
    assert.deepEqual(
      (await other.read(0)).map(({ workload }) => workload),
      ['shop/web'],
    );
    await other.close();
  });

  it('shares the file with the store of edges, whichever comes first', async () => {
    const edges = await openSqliteStore({ file: file(), clock });
    const calls = await start();
    calls.observe([out()]);
    await calls.close();
    await edges.append({ edges: [], losses: [] });
    await edges.close();
    const reader = await openSqliteReader(file());
    assert.deepEqual((await reader.query({ since: undefined, until: undefined })).edges, []);
    await reader.close();
  });
});
