// The Go team's implementation of transparency logs (golang.org/x/mod) checks our checkpoints and proofs.
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { lastCheckpoint } from '../../../ca/log/checkpoint-file.ts';
import { openIssuanceLog } from '../../../ca/log/file.ts';
import { logFilesAt } from '../../../ca/log/files.ts';
import { loadLogKey } from '../../../ca/log/log-key.ts';
import { prove } from '../../../ca/log/prove.ts';
import { must } from '../identity/must.ts';
import { memoryLog, temporaryFolder } from '../world.ts';
import { goProgram } from '../../tools/go-program.ts';

describe("ca/log: proofs, by Go's transparency logs", function () {
  this.timeout(120_000);
  const { log } = memoryLog();
  const temporary = temporaryFolder();
  const program = join(temporary.path, 'tlog');
  after(() => temporary.remove());

  before(function () {
    goProgram(this, join(import.meta.dirname, 'go-tlog'), program);
  });

  const checked = (input: unknown) => spawnSync(program, [], { input: JSON.stringify(input), encoding: 'utf8' });

  it('hold for logs of every size up to 20, and not when anything is changed', async () => {
    const path = join(temporary.path, 'issuance.jsonl');
    const files = logFilesAt(path);
    let older: { source: string; note: string } | undefined;
    for (let size = 1; size <= 20; size++) {
      const opened = await openIssuanceLog(path, log);
      await opened.commit({ kind: 'issued', time: '2026-11-21T12:00:00.000Z', serial: `0${size}`, sha256: 'ab' });
      await opened.close();
      const verifier = await loadLogKey(files);
      const proof = must(await prove(files, verifier, { serial: `0${1 + ((size * 7) % size)}`, older }));
      const { status, stdout, stderr } = checked(proof);
      assert.equal(status, 0, `${size}: ${stderr}`);
      assert.equal(stdout, `1 records, ${size}\n`);
      const [record] = proof.records;
      assert.notEqual(checked({ ...proof, records: [{ ...record, record: 'x' }] }).status, 0);
      assert.notEqual(checked({ ...proof, checkpoint: proof.checkpoint.replace(String(size), '99') }).status, 0);
      if (size % 3 === 1) older = { source: 'older', note: (await lastCheckpoint(files.checkpoints, verifier))?.note ?? '' };
    }
  });
});
