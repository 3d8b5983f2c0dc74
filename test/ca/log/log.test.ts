import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { logFilesAt } from '../../../ca/log/files.ts';
import { openIssuanceLog } from '../../../ca/log/file.ts';
import { readIssuanceLog } from '../../../ca/log/read.ts';
import { refusalBudget } from '../../../ca/log/refusals.ts';
import { type LogRecord, toLine } from '../../../ca/log/record.ts';
import { memoryLog, temporaryFolder } from '../world.ts';
import { intent } from './records.ts';

const issued = (serial: string): LogRecord => ({ kind: 'issued', time: '2026-11-21T12:00:00.001Z', serial, sha256: 'ab' });

describe('ca/log: the issuance log', () => {
  let temporary: ReturnType<typeof temporaryFolder>;
  let path: string;
  /** Removes what swears to a log that a test is going to write by hand. */
  const forget = () => {
    for (const file of Object.values(logFilesAt(path))) rmSync(file, { force: true });
  };
  beforeEach(() => {
    temporary = temporaryFolder();
    path = join(temporary.path, 'issuance.jsonl');
  });
  afterEach(() => temporary.remove());

  it('keeps every committed record, in order, across restarts', async () => {
    const { log } = memoryLog();
    const first = await openIssuanceLog(path, log);
    await Promise.all(Array.from({ length: 100 }, (_, index) => first.commit(intent(String(index)))));
    await first.close();
    assert.equal((statSync(path).mode & 0o777).toString(8), '600');
    const second = await openIssuanceLog(path, log);
    await second.commit(intent('100'));
    second.note(issued('100'));
    await second.close();
    const { issuances, unreadable } = await readIssuanceLog(path);
    assert.deepEqual(
      issuances.map(({ serial }) => serial),
      Array.from({ length: 101 }, (_, index) => String(index)),
    );
    assert.equal(issuances[100]?.outcome, 'issued');
    assert.equal(issuances[0]?.outcome, 'open');
    assert.equal(unreadable, 0);
    assert.equal(existsSync(`${path}.torn`), false);
  });

  it('sets a torn end aside, wherever the crash cut', async () => {
    const whole = toLine(intent('1')) + toLine(issued('1'));
    const cutLine = toLine(intent('2'));
    for (let cut = 1; cut < cutLine.length; cut += 7) {
      const { log, lines } = memoryLog();
      forget();
      writeFileSync(path, whole + cutLine.slice(0, cut));
      const opened = await openIssuanceLog(path, log);
      await opened.commit(intent('3'));
      await opened.close();
      assert.equal(readFileSync(path, 'utf8'), whole + toLine(intent('3')));
      assert.ok(readFileSync(`${path}.torn`, 'utf8').endsWith(`${cutLine.slice(0, cut)}\n`));
      assert.equal(lines[0]?.['bytes'], cut);
    }
  });

  it('sets zeros aside that a file system left, and starts in an empty or torn first record', async () => {
    const { log } = memoryLog();
    writeFileSync(path, toLine(intent('1')) + '\0'.repeat(5000));
    await (await openIssuanceLog(path, log)).close();
    assert.equal(readFileSync(path, 'utf8'), toLine(intent('1')));
    forget();
    writeFileSync(path, '{"kind":"int');
    await (await openIssuanceLog(path, log)).close();
    assert.equal(readFileSync(path, 'utf8'), '');
  });

  it('refuses a file that is no log', async () => {
    const { log } = memoryLog();
    writeFileSync(path, Buffer.alloc(20 * 1024 * 1024, 0x78));
    await assert.rejects(openIssuanceLog(path, log), /no issuance log/);
  });

  it('holds exactly the acknowledged records when it cannot grow', async () => {
    // A file size limit stands for the full disk: the write that crosses it is cut short, the next fails.
    const script = `
      import { openIssuanceLog } from ${JSON.stringify(join(import.meta.dirname, '../../../ca/log/file.ts'))};
      process.on('SIGXFSZ', () => {});
      const log = await openIssuanceLog(${JSON.stringify(path)}, { error() {}, warn() {}, info() {} });
      const record = ${JSON.stringify(intent('1'))};
      let written = 0;
      for (let failed = 0; failed < 3; ) await log.commit(record).then(() => written++, () => failed++);
      log.note({ kind: 'refused', time: record.time, code: 'invalid', reason: 'short' });
      await log.close();
      console.log(written);`;
    const node = `${JSON.stringify(process.execPath)} --disable-warning=ExperimentalWarning --input-type=module -e "$SCRIPT"`;
    const out = execFileSync('sh', ['-c', `ulimit -f 8 && exec ${node}`], {
      encoding: 'utf8',
      env: { ...process.env, SCRIPT: script },
    });
    const { issuances, refusals, unreadable } = await readIssuanceLog(path);
    const lines = readFileSync(path, 'utf8').split('\n');
    assert.equal(lines.at(-1), '');
    assert.ok(Number(out) > 5);
    assert.equal(lines.length - 1 - refusals.length, Number(out));
    assert.equal(issuances.length, 1);
    assert.equal(unreadable, 0);
  });

  it('counts damaged lines instead of failing on them', async () => {
    writeFileSync(path, toLine(intent('1')));
    appendFileSync(path, 'garbage\n{"kind":"issued"}\n[]\n');
    const read = await readIssuanceLog(path);
    assert.equal(read.unreadable, 3);
    assert.equal(read.issuances.length, 1);
  });

  it('writes down only so many refusals', () => {
    let now = 0;
    const budget = refusalBudget(() => new Date(now));
    const taken = Array.from({ length: 1000 }, () => budget.take());
    assert.equal(taken.filter((value) => value !== undefined).length, 100);
    now += 1000;
    assert.equal(budget.take(), 900);
    assert.equal(budget.take(), 0);
    now -= 10_000;
    assert.notEqual(budget.take(), undefined);
  });
});
