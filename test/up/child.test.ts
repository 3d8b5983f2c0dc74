import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../../cli/up/child.ts';
import { findExecutable } from '../../cli/up/executable.ts';
import { isAlive, processId } from '../../cli/up/process-id.ts';
import { claimRunDir, recordChildren, releaseRunDir, runDirAt, writeAtomically } from '../../cli/up/run-dir.ts';
import { eventually } from '../eventually.ts';

describe('gatehouse up: processes', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-up-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('starts a process again when it ends, and not once it was told to stop', async () => {
    const lines: string[] = [];
    const exits: (number | undefined)[] = [];
    const child = new Child(
      () => ({ file: process.execPath, args: ['-e', 'console.log(process.pid); setInterval(() => {}, 1000)'] }),
      join(folder, 'log'),
      2000,
      { onLine: (line) => lines.push(line), onExit: ({ restartMs }) => exits.push(restartMs) },
    );
    child.start();
    await eventually('first start', () => (lines.length === 1 ? true : undefined));
    process.kill(Number(lines[0]), 'SIGKILL');
    await eventually('second start', () => (lines.length === 2 ? true : undefined));
    assert.ok(typeof exits[0] === 'number');
    const second = processId(Number(lines[1]));
    assert.equal(isAlive(second), true);
    await child.stop();
    assert.equal(isAlive(second), false);
    assert.deepEqual(exits.slice(1), [undefined]);
  });

  it('ends with the whole group a process that does not heed SIGTERM', async () => {
    const lines: string[] = [];
    const script = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);
      const c = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']); console.log(c.pid);`;
    const child = new Child(() => ({ file: process.execPath, args: ['-e', script] }), join(folder, 'log'), 200, {
      onLine: (line) => lines.push(line),
    });
    child.start();
    const grandchild = processId(Number(await eventually('start', () => lines[0])));
    await child.stop();
    await eventually('the grandchild is gone', () => (isAlive(grandchild) && !zombie(grandchild.pid) ? undefined : true));
  });

  it('tells a command that is not there from one that is', async () => {
    assert.equal(findExecutable('surely-not-there'), undefined);
    assert.equal(findExecutable('/etc/passwd'), undefined);
    assert.ok(findExecutable('sh')?.startsWith('/'));
    const exits: (number | null)[] = [];
    const child = new Child(() => ({ file: '/surely/not/there', args: [] }), join(folder, 'log'), 100, {
      onExit: ({ code }) => exits.push(code),
    });
    child.start();
    await eventually('the failure', () => (exits.length > 0 ? true : undefined));
    await child.stop();
  });

  it('refuses a run folder that a living run uses, and takes over that of a dead one', () => {
    const dir = runDirAt(join(folder, 'run'));
    assert.equal(claimRunDir(dir), undefined);
    assert.equal(statSync(dir.root).mode & 0o777, 0o700);
    writeAtomically(join(dir.tokens, 'a.b'), 'secret');
    assert.equal(statSync(join(dir.tokens, 'a.b')).mode & 0o777, 0o600);
    // The same process may claim again: a restart within one program.
    assert.equal(claimRunDir(dir), undefined);
    const parent = processId(process.ppid);
    writeFileSync(dir.state, JSON.stringify({ owner: parent, children: [] }));
    assert.match(claimRunDir(dir) ?? '', new RegExp(`process ${process.ppid}\\b`));
    writeFileSync(dir.state, JSON.stringify({ owner: { ...parent, startedAt: '1' }, children: [{ ...parent, startedAt: '1' }] }));
    mkdirSync(dir.ca, { recursive: true });
    writeFileSync(join(dir.ca, 'root-cert.pem'), 'root');
    assert.equal(claimRunDir(dir), undefined, 'the number was given to another process since');
    recordChildren(dir, [process.pid]);
    releaseRunDir(dir);
    assert.throws(() => statSync(dir.tokens));
    assert.equal(readFileSync(join(dir.ca, 'root-cert.pem'), 'utf8'), 'root');
  });
});

function zombie(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
