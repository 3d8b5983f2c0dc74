import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { joinTokenFolder } from '../../../ca/authenticate/join-token-folder.ts';
import { hashOfJoinToken, newJoinToken } from '../../../ca/authenticate/join-token.ts';
import type { Authority } from '../../../ca/authority.ts';
import { workloadSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { must } from '../identity/must.ts';
import { requestPem, testKey } from '../requests.ts';
import { TD, type World, world } from '../world.ts';

const DB = workloadSpiffeId(TD, 'vm', 'db');

describe('ca/authenticate: join tokens', () => {
  let here: World;
  let authority: Authority;
  let dir: string;
  let now = new Date();
  beforeEach(async () => {
    now = new Date();
    here = await world(() => now);
    authority = await here.open();
    dir = join(here.caDir, 'join-tokens');
  });
  afterEach(() => here.close());

  async function made(identity = DB, ttlMs = 60_000): Promise<string> {
    const token = newJoinToken(randomBytes);
    const hash = hashOfJoinToken(token) ?? assert.fail();
    await joinTokenFolder(dir).create({ hash, identity, created: now, expires: new Date(now.getTime() + ttlMs) });
    return token;
  }
  const ask = (token: string, csr = requestPem()) => authority.issue({ csr, ttlSeconds: 60, authorization: [`Bearer ${token}`] });
  const reason = async (token: string, csr?: string) => {
    const answer = await ask(token, csr);
    return answer.ok ? `issued ${answer.value.spiffeId}` : `${answer.refusal.code}: ${answer.refusal.reason}`;
  };

  it('buys one certificate, once', async () => {
    const token = await made();
    assert.equal(await reason(token), `issued ${DB}`);
    assert.match(await reason(token), /^unauthenticated: the join token is unknown, or it was used already/);
    await authority.close();
    authority = await here.open();
    assert.match(await reason(token), /used already/);
  });

  it('buys one certificate for many that try at once', async () => {
    const token = await made();
    const answers = await Promise.all(Array.from({ length: 50 }, () => reason(token)));
    assert.equal(answers.filter((answer) => answer.startsWith('issued')).length, 1);
  });

  it('is not used up by a request that is refused', async () => {
    const token = await made();
    assert.match(await reason(token, 'no request'), /^invalid/);
    assert.match(await reason(token, requestPem({ uris: ['spiffe://cluster.local/ns/shop/sa/cart'] })), /^forbidden/);
    assert.match(await reason(token, requestPem({ key: testKey('P-256'), signer: testKey('P-256', 'other') })), /^invalid/);
    assert.equal(await reason(token), `issued ${DB}`);
  });

  it('ends when it says', async () => {
    const token = await made(DB, 1000);
    now = new Date(now.getTime() + 1000);
    assert.match(await reason(token), /has expired/);
  });

  it('must be exactly the one that was made, of this trust domain', async () => {
    const token = await made();
    for (const wrong of [
      token.slice(0, -1),
      `${token}A`,
      token.toUpperCase(),
      `ghjoin_${'../'.repeat(14)}a`,
      'ghjoin_',
      newJoinToken(randomBytes),
    ])
      assert.match(await reason(wrong), /^unauthenticated/, wrong);
    // The last digit of 43 has two bits that say nothing: another spelling is another token.
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twin = token.slice(0, -1) + digits.charAt(digits.indexOf(token.slice(-1)) + 1);
    assert.match(await reason(twin), /^unauthenticated/);
    const foreign = await made(workloadSpiffeId(must(parseTrustDomain('example.org')), 'vm', 'db'));
    assert.match(await reason(foreign), /not issued here/);
    assert.equal(await reason(token), `issued ${DB}`);
  });

  it('is good for a certificate only, not for a JWT-SVID', async () => {
    const token = await made();
    const asked = { audience: ['a'], ttlSeconds: 60, spiffeId: '' };
    const answer = await authority.jwt.issue({ authorization: [`Bearer ${token}`] }, asked);
    assert.ok(!answer.ok && /good for a certificate only/.test(answer.refusal.reason));
    assert.equal(await reason(token), `issued ${DB}`);
  });

  it('is kept as a hash only, readable by its owner', async () => {
    const token = await made();
    await ask(token);
    await made();
    for (const name of readdirSync(dir)) {
      const text = readFileSync(join(dir, name), 'utf8');
      assert.ok(!text.includes(token.slice(7)) && !name.includes(token.slice(7)));
      assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600);
    }
    assert.ok(!JSON.stringify(here.lines).includes(token.slice(7)));
    assert.ok(!readFileSync(join(here.caDir, 'issuance.jsonl'), 'utf8').includes(token.slice(7)));
  });

  it('does not count while its file is damaged', async () => {
    const token = await made();
    const [name = ''] = readdirSync(dir);
    const text = readFileSync(join(dir, name), 'utf8');
    writeFileSync(join(dir, name), 'garbage');
    assert.match(await reason(token), /^unauthenticated/);
    writeFileSync(join(dir, name), text);
    assert.equal(await reason(token), `issued ${DB}`);
  });

  it('stays used over a kill -9 at any moment: never two certificates for one token', async () => {
    const folder = JSON.stringify(join(import.meta.dirname, '../../../ca/authenticate/join-token-folder.ts'));
    for (let round = 0; round < 10; round++) {
      const token = await made();
      const hash = hashOfJoinToken(token) ?? assert.fail();
      const script = `
        import { joinTokenFolder } from ${folder};
        process.stdout.write('ready\\n');
        process.stdout.write(String(await joinTokenFolder(${JSON.stringify(dir)}).use(${JSON.stringify(hash)})) + '\\n');`;
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script]);
      let out = '';
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.stdout.on('data', (chunk) => {
        out += String(chunk);
        // At once, or a little later: before, within or after the rename.
        setTimeout(() => child.kill('SIGKILL'), round / 5);
      });
      await gone;
      const answer = await reason(token);
      assert.ok(!(out.includes('true') && answer.startsWith('issued')), `round ${round}`);
      assert.match(await reason(token), /used already/);
    }
  });

  it('can be listed, deleted and forgotten', async () => {
    const store = joinTokenFolder(dir);
    const token = await made();
    await ask(token);
    await made(DB, 1000);
    assert.deepEqual((await store.list()).map(({ identity, used }) => [identity, used]).toSorted(), [
      [DB, false],
      [DB, true],
    ]);
    const third = hashOfJoinToken(await made()) ?? assert.fail();
    assert.equal(await store.delete(third), true);
    assert.equal(await store.delete(third), false);
    await store.prune(new Date(now.getTime() + 120_000));
    assert.deepEqual(await store.list(), []);
  });
});
