import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Outcome, runGatehouse } from '../feature/running-mesh.ts';

describe('gatehouse ca revoke, without a control plane', function () {
  this.timeout(30_000);
  let dir: string;
  let caDir: string;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-revoke-'));
    caDir = join(dir, 'ca');
    assert.equal((await runGatehouse('ca', 'root', '--ca-dir', caDir, '--create')).code, 0);
  });
  after(() => rmSync(dir, { recursive: true }));

  const run = (...args: readonly string[]): Promise<Outcome> => runGatehouse('ca', ...args, '--ca-dir', caDir);
  const identity = 'cluster.local/ns/shop/sa/cart';

  it('changes the folder, lists and lifts', async () => {
    const revoked = await run('revoke', '--identity', identity, '--reason', 'stolen laptop', '-o', 'json');
    assert.equal(revoked.code, 0, revoked.stderr);
    const { revocation, state }: { revocation: { reason: string; by: string }; state: string } = JSON.parse(revoked.stdout);
    assert.equal(revocation.reason, 'stolen laptop');
    assert.notEqual(revocation.by, '');
    assert.match(state, /once one starts/);
    const listed: { revocations: readonly { identity: string }[] } = JSON.parse((await run('revoked', '-o', 'json')).stdout);
    assert.deepEqual(
      listed.revocations.map((entry) => entry.identity),
      [`spiffe://${identity}`],
    );
    assert.match((await run('revoke', '--list')).stdout, /stolen laptop/);
    assert.equal((await run('revoke', '--identity', `spiffe://${identity}`, '--undo')).code, 0);
    assert.deepEqual(JSON.parse((await run('revoked', '-o', 'json')).stdout), { revocations: [] });
  });

  it('says what is wrong', async () => {
    for (const args of [
      [],
      ['--identity', identity, '--serial', '4f'],
      ['--serial', 'xyz'],
      ['--identity', 'spiffe://UPPER/x'],
      ['--identity', identity, '--reason', 'two\nlines'],
    ]) {
      const outcome = await run('revoke', ...args);
      assert.equal(outcome.code, 2, `${args.join(' ')}: ${outcome.stderr}`);
    }
    const unknown = await run('revoke', '--serial', '4F:3D');
    assert.deepEqual(
      [unknown.code, /no certificate with the serial number 4f3d was issued here/.test(unknown.stderr)],
      [1, true],
    );
    const undo = await run('revoke', '--identity', identity, '--undo');
    assert.deepEqual([undo.code, /is not revoked/.test(undo.stderr)], [1, true]);
    const nowhere = await runGatehouse('ca', 'revoked', '--ca-dir', join(dir, 'nothing'));
    assert.deepEqual([nowhere.code, /there is no authority in/.test(nowhere.stderr)], [1, true]);
  });
});
