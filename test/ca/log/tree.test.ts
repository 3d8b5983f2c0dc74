import { strict as assert } from 'node:assert';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastCheckpoint } from '../../../ca/log/checkpoint-file.ts';
import { openIssuanceLog } from '../../../ca/log/file.ts';
import { type LogFiles, logFilesAt } from '../../../ca/log/files.ts';
import { loadLogKey } from '../../../ca/log/log-key.ts';
import { openNote, parseVerifierKey, signNote, verifierKey } from '../../../ca/log/note.ts';
import { prove } from '../../../ca/log/prove.ts';
import type { LogRecord } from '../../../ca/log/record.ts';
import { type Finding, verifyLog } from '../../../ca/log/verify-log.ts';
import { AuthorityError } from '../../../ca/root/error.ts';
import { eventually } from '../../eventually.ts';
import { must } from '../identity/must.ts';
import { memoryLog, temporaryFolder } from '../world.ts';
import { intent } from './records.ts';

const refusal = (reason: string): LogRecord => ({ kind: 'refused', time: '2026-11-21T12:00:00.000Z', code: 'invalid', reason });

const { log } = memoryLog();
const NEVER = { records: 1_000_000, everyMs: 1 };

/** A log of which the test decides when checkpoints are written. */
async function sealedByHand(path: string) {
  let task = () => {};
  const opened = await openIssuanceLog(path, log, {
    checkpoint: NEVER,
    every: (_, run) => {
      task = run;
      return () => {};
    },
  });
  return {
    ...opened,
    async seal() {
      const { state } = logFilesAt(path);
      const before = existsSync(state) ? readFileSync(state, 'utf8') : '';
      task();
      await eventually('a checkpoint', () => (existsSync(state) && readFileSync(state, 'utf8') !== before ? true : undefined));
    },
  };
}

async function verify(files: LogFiles) {
  return verifyLog(files, await loadLogKey(files));
}

describe('ca/log: the tree over the log', () => {
  let temporary: ReturnType<typeof temporaryFolder>;
  let path: string;
  let files: LogFiles;
  beforeEach(() => {
    temporary = temporaryFolder();
    path = join(temporary.path, 'issuance.jsonl');
    files = logFilesAt(path);
  });
  afterEach(() => temporary.remove());

  const lines = () => readFileSync(path, 'utf8').split('\n').slice(0, -1);

  /** 20 records; checkpoints over 5, 12 and 20. */
  async function twenty(): Promise<void> {
    const opened = await sealedByHand(path);
    for (let index = 1; index <= 20; index++) {
      await opened.commit(refusal(`record ${index}`));
      if (index === 5 || index === 12) await opened.seal();
    }
    await opened.close();
  }

  it('writes checkpoints after so many records, and at the end', async () => {
    const opened = await openIssuanceLog(path, log, { checkpoint: { records: 10, everyMs: 1_000_000 } });
    for (let index = 0; index < 35; index++) await opened.commit(intent(String(index)));
    await opened.close();
    const found = await verify(files);
    assert.deepEqual([found.records, found.sealed, found.findings, found.tornBytes], [35, 35, [], 0]);
    assert.ok(found.checkpoints >= 2 && found.checkpoints <= 4, String(found.checkpoints));
    assert.equal((statSync(files.key).mode & 0o777).toString(8), '600');
    assert.equal(statSync(files.leaves).size, 35 * 32);
  });

  it('goes on over restarts, and when what is derived was lost', async () => {
    for (const lost of [[], ['state'], ['leaves'], ['state', 'leaves']] as const) {
      for (const name of lost) rmSync(files[name]);
      const opened = await openIssuanceLog(path, log);
      await opened.commit(refusal('again'));
      await opened.close();
      assert.deepEqual((await verify(files)).findings, []);
    }
    assert.equal(lines().length, 4);
    writeFileSync(files.state, readFileSync(files.state, 'utf8').replace(/"bytes":\d+/, '"bytes":7'));
    await (await openIssuanceLog(path, log)).close();
    assert.deepEqual((await verify(files)).findings, []);
  });

  it('recovers from a cut at every byte after a checkpoint, and refuses one at every byte before', async () => {
    const opened = await sealedByHand(path);
    for (const word of ['a', 'b']) await opened.commit(refusal(word));
    await opened.seal();
    const sealed = statSync(path).size;
    for (const word of ['c', 'd', 'e']) await opened.commit(refusal(word));
    const crashed = join(temporary.path, 'crashed');
    const copy = join(temporary.path, 'copy');
    mkdirSync(crashed);
    for (const file of [files.records, files.checkpoints, files.key, files.leaves, files.state])
      cpSync(file, join(crashed, file.slice(temporary.path.length)));
    await opened.close();
    const there = logFilesAt(join(copy, 'issuance.jsonl'));
    const { size } = statSync(join(crashed, 'issuance.jsonl'));
    for (const withState of [true, false])
      for (let cut = 0; cut <= size; cut++) {
        rmSync(copy, { recursive: true, force: true });
        cpSync(crashed, copy, { recursive: true });
        truncateSync(there.records, cut);
        if (!withState) rmSync(there.state);
        if (cut < sealed) await assert.rejects(openIssuanceLog(there.records, log), AuthorityError, `cut at ${cut}`);
        else {
          const again = await openIssuanceLog(there.records, log);
          again.note(refusal('after the crash'));
          await again.close();
          const { findings, records } = await verify(there);
          assert.deepEqual(findings, [], `cut at ${cut}`);
          // All whole records before the cut, and the new one.
          const whole = readFileSync(join(crashed, 'issuance.jsonl')).subarray(0, cut).toString().split('\n').length - 1;
          assert.equal(records, whole + 1);
        }
      }
  }).timeout(60_000);

  it('recovers from a crash at every byte while a checkpoint, a state or hashes are written', async () => {
    const opened = await sealedByHand(path);
    await opened.commit(refusal('a'));
    await opened.seal();
    const before = readFileSync(files.state);
    const first = statSync(files.checkpoints).size;
    await opened.commit(refusal('b'));
    await opened.seal();
    await opened.close();
    const after = {
      checkpoints: readFileSync(files.checkpoints),
      leaves: readFileSync(files.leaves),
      state: readFileSync(files.state),
    };
    const recovers = async (what: string) => {
      await (await openIssuanceLog(path, log)).close();
      const { findings, sealed } = await verify(files);
      assert.deepEqual([findings, sealed], [[], 2], what);
    };
    for (let cut = first; cut <= after.checkpoints.length; cut++) {
      writeFileSync(files.state, before);
      writeFileSync(files.checkpoints, after.checkpoints.subarray(0, cut));
      await recovers(`checkpoint cut at ${cut}`);
    }
    for (let cut = 0; cut <= after.leaves.length; cut++) {
      writeFileSync(files.leaves, after.leaves.subarray(0, cut));
      await recovers(`hashes cut at ${cut}`);
    }
    const state = readFileSync(files.state);
    for (let cut = 0; cut <= state.length; cut++) {
      writeFileSync(files.state, state.subarray(0, cut));
      await recovers(`state cut at ${cut}`);
    }
  }).timeout(60_000);

  const tamperings: readonly (readonly [string, (all: string[]) => readonly string[], Partial<Finding>])[] = [
    [
      'an edited record',
      (all) => all.with(7, all[7]?.replace('record 8', 'record X') ?? ''),
      { kind: 'edited', first: 8, last: 8 },
    ],
    ['an edited first record', (all) => all.with(0, '{}'), { kind: 'edited', first: 1, last: 1 }],
    ['a removed record', (all) => all.toSpliced(8, 1), { kind: 'removed', first: 9, last: 9 }],
    ['removed records', (all) => all.toSpliced(6, 3), { kind: 'removed', first: 7, last: 9 }],
    ['an inserted record', (all) => all.toSpliced(3, 0, JSON.stringify(refusal('x'))), { kind: 'inserted', first: 4, last: 4 }],
    [
      'two records exchanged',
      (all) => all.with(6, all[9] ?? '').with(9, all[6] ?? ''),
      { kind: 'reordered', first: 7, last: 10 },
    ],
    ['a log cut off', (all) => all.slice(0, 17), { kind: 'truncated', first: 18, last: 20 }],
  ];
  for (const [what, change, place] of tamperings)
    it(`finds ${what}, and says where`, async () => {
      await twenty();
      writeFileSync(path, `${change(lines()).join('\n')}\n`);
      const found = (await verify(files)).findings.find(({ problem }) => problem === 'tampering');
      assert.deepEqual({ ...found, checkpoint: '' }, { problem: 'tampering', ...place, checkpoint: '' });
      // Without the hashes it is known between which checkpoints.
      rmSync(files.leaves);
      rmSync(files.state);
      const roughly = (await verify(files)).findings.find(({ problem }) => problem === 'tampering');
      assert.ok(roughly?.problem === 'tampering' && place.problem === undefined);
      assert.ok(['changed', 'truncated'].includes(roughly.kind), roughly.kind);
      await assert.rejects(openIssuanceLog(path, log), AuthorityError);
    });

  it('finds records whose hashes were changed with them', async () => {
    await twenty();
    writeFileSync(path, readFileSync(path, 'utf8').replace('record 8', 'record X'));
    const leaves = readFileSync(files.leaves);
    writeFileSync(files.leaves, leaves.fill(0, 7 * 32, 8 * 32));
    const [found] = (await verify(files)).findings;
    assert.ok(found?.problem === 'tampering');
    assert.deepEqual([found.kind, found.first, found.last], ['changed', 6, 12]);
  });

  it('finds checkpoints that were forged, removed or exchanged', async () => {
    await twenty();
    const whole = readFileSync(files.checkpoints, 'utf8').split('\n');
    writeFileSync(files.checkpoints, whole.with(1, '6').join('\n'));
    assert.deepEqual(
      (await verify(files)).findings.map((finding) => finding.problem === 'checkpoint' && finding.reason),
      ['its signature does not verify'],
    );
    // The log and its newest checkpoint cut off together: the state remembers.
    writeFileSync(files.checkpoints, `${whole.slice(0, 10).join('\n')}\n`);
    writeFileSync(path, `${lines().slice(0, 12).join('\n')}\n`);
    const [cut] = (await verify(files)).findings;
    assert.ok(cut?.problem === 'tampering' && cut.kind === 'truncated');
    assert.deepEqual([cut.first, cut.last], [13, 20]);
    await assert.rejects(openIssuanceLog(path, log), /removed/);
  });

  it('finds a log that was written anew with its own key, by a checkpoint kept elsewhere', async () => {
    await twenty();
    const verifier = await loadLogKey(files);
    const kept = (await lastCheckpoint(files.checkpoints, verifier))?.note ?? '';
    const forged = lines().map((line) => line.replace('record 3', 'record 33'));
    for (const file of [files.records, files.checkpoints, files.state, files.leaves]) rmSync(file);
    writeFileSync(path, `${forged.join('\n')}\n`);
    await (await openIssuanceLog(path, log)).close();
    assert.deepEqual((await verify(files)).findings, []);
    const { findings } = await verifyLog(files, verifier, [{ source: 'kept', note: kept }]);
    assert.equal(findings[0]?.problem === 'tampering' && findings[0].checkpoint, 'kept');
    const proof = await prove(files, verifier, { older: { source: 'kept', note: kept } });
    assert.ok(!proof.ok);
  });

  it('does not replace a lost key', async () => {
    await twenty();
    rmSync(files.key);
    await assert.rejects(openIssuanceLog(path, log), /restore it from a backup/);
  });

  it('proves what is in it', async () => {
    const opened = await sealedByHand(path);
    for (let index = 0; index < 9; index++) await opened.commit(intent(`0${index}`));
    await opened.seal();
    const verifier = await loadLogKey(files);
    const older = { source: 'older', note: (await lastCheckpoint(files.checkpoints, verifier))?.note ?? '' };
    opened.note({ kind: 'issued', time: '2026-11-21T12:00:01.000Z', serial: '03', sha256: 'ab' });
    await opened.commit(intent('10'));
    const early = await prove(files, verifier, { serial: '10' });
    assert.ok(!early.ok && /newer than the newest checkpoint/.test(early.reason));
    await opened.close();
    const { records, size, consistency } = must(await prove(files, verifier, { serial: '03', older }));
    assert.deepEqual([size, records.map(({ index }) => index), consistency?.size], [11, [3, 9], 9]);
    const unknown = await prove(files, verifier, { serial: 'ff' });
    assert.ok(!unknown.ok && /no record/.test(unknown.reason));
  });

  it('signs notes that only its own key opens', async () => {
    await (await openIssuanceLog(path, log)).close();
    const key = await loadLogKey(files);
    const note = signNote('a\nb\n', key);
    assert.equal(must(openNote(note, key)), 'a\nb\n');
    const again = must(parseVerifierKey(verifierKey(key)));
    assert.equal(must(openNote(note, again)), 'a\nb\n');
    for (const wrong of [note.replace('a', 'x'), note.slice(0, -1), 'a\nb\n', '', note.replace('—', '-')])
      assert.equal(openNote(wrong, key).ok, false);
    for (const wrong of ['', 'a+b+c', verifierKey(key).replace('+', 'x+'), verifierKey(key).slice(0, -4)])
      assert.equal(parseVerifierKey(wrong).ok, false);
    assert.throws(() => signNote('no line end', key), RangeError);
  });
});
