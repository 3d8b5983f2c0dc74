import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requestPem } from '../ca/requests.ts';
import { type World, world } from '../ca/world.ts';
import { runGatehouse } from '../feature/running-mesh.ts';

describe('gatehouse ca', function () {
  this.timeout(60_000);
  let here: World;
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());

  const run = async (...args: readonly string[]) => {
    const [first = '', second = '', ...rest] = args;
    return runGatehouse('ca', first, second, '--ca-dir', here.caDir, ...rest);
  };
  const json = async <T>(...args: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(code, 0, stderr);
    const value: T = JSON.parse(stdout);
    return value;
  };

  async function issued(count: number): Promise<readonly string[]> {
    const authority = await here.open();
    const serials: string[] = [];
    for (let index = 0; index < count; index++) {
      const authorization = [`Bearer ${await here.tokens.token()}`];
      const answer = await authority.issue({ csr: requestPem(), ttlSeconds: 60, authorization });
      assert.ok(answer.ok);
      serials.push(answer.value.serial);
    }
    await authority.issue({ csr: 'x', ttlSeconds: 60, authorization: [] });
    await authority.close();
    return serials;
  }

  it('log show lists, by identity, serial and time', async () => {
    const [first = '', second] = await issued(2);
    interface Shown {
      readonly issuances: readonly { readonly serial: string; readonly outcome: string }[];
      readonly refusals: readonly unknown[];
    }
    const shown = async (...args: readonly string[]) => {
      const { issuances, refusals } = await json<Shown>('log', 'show', '-o', 'json', ...args);
      return [issuances.map(({ serial }) => serial), refusals.length];
    };
    assert.deepEqual(await shown(), [[first, second], 1]);
    assert.deepEqual(await shown('--identity', 'cluster.local/ns/shop/sa/cart', '--limit', '1'), [[second], 0]);
    assert.deepEqual(await shown('--identity', 'cluster.local/ns/shop/sa/pay'), [[], 0]);
    assert.deepEqual(await shown('--serial', first.toUpperCase()), [[first], 0]);
    assert.deepEqual(await shown('--since', '1h'), [[first, second], 1]);
    assert.deepEqual(await shown('--until', '1h'), [[], 0]);
    assert.equal((await run('log', 'show', '--since', 'then')).code, 2);
    assert.equal((await run('log', 'show', '--serial', '../x')).code, 2);
    // Alone it shows, as it always did.
    const alone = await runGatehouse('ca', 'log', '--ca-dir', here.caDir);
    assert.equal(alone.code, 0, alone.stderr);
    assert.ok(alone.stdout.includes(first));
  });

  it('log verify and prove tell a whole log from one that was changed', async () => {
    const [serial = ''] = await issued(3);
    const kept = join(here.dir, 'kept');
    const { stdout: note } = await run('log', 'checkpoint');
    assert.match(note, /^gatehouse\.dev\/issuance-log\n8\n/);
    writeFileSync(kept, note);
    assert.match((await run('log', 'verify', '--checkpoint', kept)).stdout, /^8 records; 8 of them/);
    const { verifierKey } = await json<{ verifierKey: string }>('log', 'checkpoint', '-o', 'json');
    assert.equal((await run('log', 'verify', '--key', verifierKey)).code, 0);
    const proof = await json<{ size: number; records: readonly { record: string }[] }>('log', 'prove', '--serial', serial);
    assert.equal(proof.size, 8);
    assert.ok(proof.records.length === 2 && proof.records.every(({ record }) => record.includes(serial)));
    assert.equal((await run('log', 'prove', '--since', kept)).code, 0);
    assert.equal((await run('log', 'prove', '--serial', 'ff')).code, 1);
    assert.equal((await run('log', 'prove')).code, 2);

    const path = join(here.caDir, 'issuance.jsonl');
    writeFileSync(path, readFileSync(path, 'utf8').replace('P-256', 'P-384'));
    const { code, stderr } = await run('log', 'verify');
    assert.equal(code, 1);
    assert.match(stderr, /record 2 was edited/);
    const found = await runGatehouse('ca', 'log', 'verify', '--ca-dir', here.caDir, '-o', 'json');
    const { ok, findings }: { ok: boolean; findings: readonly { kind: string; first: number }[] } = JSON.parse(found.stdout);
    assert.deepEqual([ok, findings[0]?.kind, findings[0]?.first], [false, 'edited', 2]);
    assert.match((await run('log', 'prove', '--serial', serial)).stderr, /run gatehouse ca log verify/);
  });

  it('token create makes a token that a running authority takes once; list and delete', async () => {
    const authority = await here.open();
    const { stdout } = await run('token', 'create', '--namespace', 'vm', '--service-account', 'db');
    const token = stdout.trim();
    const ask = () => authority.issue({ csr: requestPem(), ttlSeconds: 60, authorization: [`Bearer ${token}`] });
    const [first, second] = [await ask(), await ask()];
    assert.ok(first.ok && first.value.spiffeId === 'spiffe://cluster.local/ns/vm/sa/db');
    assert.ok(!second.ok && second.refusal.code === 'unauthenticated');
    const made = await json<{ token: string; id: string }>(
      'token',
      'create',
      '--identity',
      'cluster.local/ns/a/sa/b',
      '--ttl',
      '5m',
      '-o',
      'json',
    );
    assert.match(made.token, /^ghjoin_/);
    const listed = async () =>
      (await json<readonly { id: string; state: string }[]>('token', 'list', '-o', 'json')).map(({ id, state }) => [
        state,
        id === made.id,
      ]);
    assert.deepEqual(await listed(), [
      ['used', false],
      ['unused', true],
    ]);
    assert.equal((await runGatehouse('ca', 'token', 'delete', made.id, '--ca-dir', here.caDir)).code, 0);
    assert.deepEqual(await listed(), [['used', false]]);
    assert.equal((await runGatehouse('ca', 'token', 'delete', made.id, '--ca-dir', here.caDir)).code, 1);
    assert.equal(statSync(join(here.caDir, 'join-tokens')).mode & 0o777, 0o700);
    for (const wrong of [
      [],
      ['--identity', 'x'],
      ['--identity', 'other/ns/a/sa/b'],
      ['--identity', 'cluster.local/a'],
      ['--namespace', 'a'],
    ])
      assert.equal((await run('token', 'create', ...wrong)).code, 2, wrong.join(' '));
    assert.equal((await run('token', 'create', '--namespace', 'a', '--service-account', 'b', '--ttl', '0s')).code, 2);
  });
});
