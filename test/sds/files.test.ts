import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Svid } from '../../sds/identity/accept.ts';
import { KeptFiles } from '../../sds/files/keep-files.ts';
import { fileSet, writeSet } from '../../sds/files/output.ts';
import { eventually } from '../eventually.ts';
import { SmallFileSystem } from './small-file-system.ts';
import { bundleOf, KeeperWorld, StillTime } from './world.ts';

describe('sds: certificates in files', () => {
  let folder: string;
  let dir: string;
  let world: KeeperWorld;
  let rootsPem: string;
  const svids: Svid[] = [];

  before(async () => {
    world = await KeeperWorld.make();
    rootsPem = bundleOf(world.root).pem;
    world.keeper.start();
    for (let count = 1; count <= 4; count++) {
      await eventually('a certificate', () => {
        if (world.events.length >= count) return true;
        world.time.pass(world.time.next() ?? 0);
        return undefined;
      });
      const svid = world.keeper.current();
      assert.ok(svid !== undefined);
      svids.push(svid);
    }
    await world.keeper.stop();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-files-'));
    dir = join(folder, 'certs');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const svid = (index: number): Svid => svids[index] ?? assert.fail(`no certificate ${index}`);
  const read = (name: string): string => readFileSync(join(dir, name), 'utf8');

  /** The serial in the files; fails when key and certificate do not belong together. */
  function pair(): string {
    const [certificate, key] = [new X509Certificate(read('..data/cert-chain.pem')), read('..data/key.pem')];
    assert.ok(certificate.publicKey.equals(createPublicKey(key)), 'the key is of another certificate');
    return certificate.serialNumber.toLowerCase();
  }

  it('are three, the key for its owner only', async () => {
    await writeSet(dir, fileSet(svid(0), rootsPem), undefined);
    assert.equal(pair(), svid(0).serial);
    assert.equal(read('root-cert.pem'), rootsPem);
    assert.equal(statSync(join(dir, 'key.pem')).mode & 0o777, 0o600);
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    assert.equal(read('cert-chain.pem'), svid(0).chainPem);
  });

  it('are replaced as a set, and older sets removed', async () => {
    for (const index of [0, 1, 2, 3]) {
      await writeSet(dir, fileSet(svid(index), rootsPem), undefined);
      assert.equal(pair(), svid(index).serial);
    }
    assert.equal(readdirSync(dir).filter((name) => name.startsWith('..set-')).length, 2);
    assert.deepEqual(
      readdirSync(dir).filter((name) => !name.startsWith('..')),
      ['cert-chain.pem', 'key.pem', 'root-cert.pem'],
    );
  });

  it('never pair a key with the certificate of another, for a reader that does not stop', async () => {
    await writeSet(dir, fileSet(svid(0), rootsPem), undefined);
    const state = { writing: true };
    const writer = (async () => {
      for (let round = 0; round < 30; round++) await writeSet(dir, fileSet(svid(round % 4), rootsPem), undefined);
      state.writing = false;
    })();
    const seen = new Set<string>();
    while (state.writing) {
      // A reader resolves the set once, as one that opens the folder does.
      const set = join(dir, readlinkSync(join(dir, '..data')));
      try {
        const certificate = new X509Certificate(readFileSync(join(set, 'cert-chain.pem')));
        assert.ok(certificate.publicKey.equals(createPublicKey(readFileSync(join(set, 'key.pem')))));
        seen.add(certificate.serialNumber);
      } catch (error) {
        // Two rotations later the set is gone: never so while it is current or the last one.
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer;
    assert.ok(seen.size >= 2, [...seen].join(' '));
  });

  it('take the place of files from before', async () => {
    mkdirSync(dir, { mode: 0o700 });
    writeFileSync(join(dir, 'key.pem'), 'old', { mode: 0o644 });
    await writeSet(dir, fileSet(svid(0), rootsPem), undefined);
    assert.ok(lstatSync(join(dir, 'key.pem')).isSymbolicLink());
    assert.equal(statSync(join(dir, 'key.pem')).mode & 0o777, 0o600);
  });

  it('do not go into a folder that others can write to', async () => {
    mkdirSync(dir);
    chmodSync(dir, 0o777);
    await assert.rejects(writeSet(dir, fileSet(svid(0), rootsPem), undefined), /writable by others; run: chmod go-w/);
    assert.deepEqual(readdirSync(dir), []);
  });

  it('belong to whom they are for, in a folder that stays the agent’s', async function () {
    if (process.getuid?.() !== 0) this.skip();
    await writeSet(dir, fileSet(svid(0), rootsPem), { uid: 65534, gid: 65534 });
    assert.deepEqual([statSync(join(dir, 'key.pem')).uid, statSync(join(dir, 'key.pem')).mode & 0o777], [65534, 0o600]);
    assert.equal(statSync(dir).uid, 0);
    const cat = spawnSync('cat', [join(dir, 'key.pem')], { uid: 65534, gid: 65534 });
    // The folder that mkdtemp makes is closed to others, which is not what is tested.
    chmodSync(folder, 0o755);
    assert.notEqual(cat.status, 0);
    assert.equal(spawnSync('cat', [join(dir, 'key.pem')], { uid: 65534, gid: 65534 }).status, 0);
    await assert.rejects(async () => {
      spawnSync('chown', ['65534', dir]);
      await writeSet(dir, fileSet(svid(1), rootsPem), undefined);
    }, /belongs to user 65534/);
  });

  it('run the reload command after each, and say why it fails', async () => {
    const time = new StillTime();
    const failed: string[] = [];
    let written = 0;
    const around = {
      timers: time,
      random: () => 0,
      onWritten: () => (written += 1),
      onFailed: (why: string) => failed.push(why),
    };
    const mark = join(folder, 'reloaded');
    const good = new KeptFiles({ dir, reload: ['/bin/sh', '-c', `cat ${dir}/cert-chain.pem > ${mark}`] }, around);
    good.put(fileSet(svid(0), rootsPem));
    await eventually('reloaded', () => (existsSync(mark) && readFileSync(mark, 'utf8') === svid(0).chainPem ? true : undefined));
    assert.equal(written, 1);
    await good.close();
    const bad = new KeptFiles({ dir, reload: ['/bin/sh', '-c', 'echo no server >&2; exit 3'] }, around);
    bad.put(fileSet(svid(1), rootsPem));
    await eventually('a failure', () => failed[0]);
    await bad.close();
    assert.deepEqual(failed, ['reload command: no server']);
    assert.equal(pair(), svid(1).serial);
    const none = new KeptFiles({ dir, reload: [join(folder, 'no-such-program')] }, around);
    none.put(fileSet(svid(2), rootsPem));
    await eventually('another failure', () => failed[1]);
    await none.close();
    assert.match(failed[1] ?? '', /ENOENT/);
  });

  it('do not wait for a reload command that hangs when the agent ends', async () => {
    const mark = join(folder, 'began');
    const around = { timers: new StillTime(), random: () => 0, onWritten: () => {}, onFailed: () => {} };
    const files = new KeptFiles({ dir, reload: ['/bin/sh', '-c', `touch ${mark}; exec sleep 60`] }, around);
    files.put(fileSet(svid(0), rootsPem));
    await eventually('it runs', () => (existsSync(mark) ? true : undefined));
    const began = Date.now();
    await files.close();
    assert.ok(Date.now() - began < 5000);
  });

  it('stay as they are on a full disk, and are written when there is room', async function () {
    mkdirSync(dir, { mode: 0o700 });
    const disk = new SmallFileSystem(this, dir, '64k');
    try {
      const time = new StillTime();
      const failed: string[] = [];
      let written = 0;
      const files = new KeptFiles(
        { dir, reload: [] },
        { timers: time, random: () => 0, onWritten: () => (written += 1), onFailed: (why) => failed.push(why) },
      );
      files.put(fileSet(svid(0), rootsPem));
      await eventually('the first set', () => (written === 1 ? true : undefined));
      disk.fill();
      files.put(fileSet(svid(1), rootsPem));
      await eventually('a failure', () => failed[0]);
      assert.match(failed[0] ?? '', /ENOSPC/);
      assert.equal(pair(), svid(0).serial);
      // A later certificate does not wait behind the one that did not fit.
      files.put(fileSet(svid(2), rootsPem));
      await eventually('another failure', () => failed[1]);
      disk.free();
      await eventually('room', () => {
        time.pass(time.next() ?? 0);
        return written === 2 ? true : undefined;
      });
      assert.equal(pair(), svid(2).serial);
      await files.close();
    } finally {
      disk.unmount();
    }
  });
});
