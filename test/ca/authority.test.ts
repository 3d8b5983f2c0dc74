import { strict as assert } from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openAuthority, type Authority } from '../../ca/authority.ts';
import { logFilesAt } from '../../ca/log/files.ts';
import { loadLogKey } from '../../ca/log/log-key.ts';
import { readIssuanceLog } from '../../ca/log/read.ts';
import { verifyLog } from '../../ca/log/verify-log.ts';
import { requestPem } from './requests.ts';
import { ISSUER, memoryLog, TD, type World, world } from './world.ts';

const repository = join(import.meta.dirname, '../..');

async function issued(here: World, authority: Authority, ttlSeconds = 0): Promise<X509Certificate> {
  const result = await authority.issue({ csr: requestPem(), ttlSeconds, authorization: [`Bearer ${await here.tokens.token()}`] });
  if (!result.ok) throw new Error(result.refusal.reason);
  return new X509Certificate(result.value.certChain[0] ?? '');
}

describe('ca: the authority', () => {
  let here: World;
  let now: number;
  beforeEach(async () => {
    now = Date.now();
    here = await world(() => new Date(now));
  });
  afterEach(() => here.close());

  it('gives 24 hours by default and at most, and seconds when asked', async () => {
    const authority = await here.open();
    const life = async (ttl: number) =>
      (await issued(here, authority, ttl)).validToDate.getTime() - Math.floor(now / 1000) * 1000;
    assert.equal(await life(0), 24 * 3600_000);
    assert.equal(await life(10 * 365 * 24 * 3600), 24 * 3600_000);
    assert.equal(await life(2), 2000);
    await authority.close();
    const strict = await here.open({ maxTtlSeconds: 60 });
    assert.equal(
      await (async () => (await issued(here, strict, 0)).validToDate.getTime() - Math.floor(now / 1000) * 1000)(),
      60_000,
    );
  });

  it('issues nothing that outlives its root, and nothing after it', async () => {
    const authority = await here.open();
    const end = authority.notAfter.getTime();
    now = end - 5_000;
    assert.equal((await issued(here, authority)).validToDate.getTime(), end);
    now = end;
    await assert.rejects(issued(here, authority), /own certificate is not valid now/);
    now = Date.now() - 365 * 24 * 3600_000;
    await assert.rejects(issued(here, authority), /own certificate is not valid now/);
  });

  it('logs what it issued and refused, with the evidence, and never the token', async () => {
    const authority = await here.open();
    const leaf = await issued(here, authority);
    const token = await here.tokens.token();
    await authority.issue({
      csr: requestPem({ uris: ['spiffe://cluster.local/ns/shop/sa/x'] }),
      ttlSeconds: 0,
      authorization: [`Bearer ${token}`],
    });
    await authority.issue({ csr: requestPem(), ttlSeconds: 0, authorization: [] });
    await authority.close();
    const path = join(here.caDir, 'issuance.jsonl');
    const { issuances, refusals } = await readIssuanceLog(path);
    assert.equal(issuances.length, 1);
    assert.equal(issuances[0]?.outcome, 'issued');
    assert.equal(issuances[0].serial, leaf.serialNumber.toLowerCase());
    assert.equal(issuances[0].names, 'URI:spiffe://cluster.local/ns/shop/sa/cart');
    assert.deepEqual(issuances[0].evidence, { kind: 'token', subject: 'system:serviceaccount:shop:cart' });
    assert.equal(issuances[0].sha256, leaf.fingerprint256.replaceAll(':', '').toLowerCase());
    assert.deepEqual(
      refusals.map(({ code }) => code),
      ['forbidden', 'unauthenticated'],
    );
    assert.ok(!readFileSync(path, 'utf8').includes(token) && !JSON.stringify(here.lines).includes(token));
  });

  it('keeps its root over a restart with a torn log', async () => {
    const first = await here.open();
    const leaf = await issued(here, first);
    await first.close();
    const path = join(here.caDir, 'issuance.jsonl');
    appendFileSync(path, '{"kind":"iss');
    const second = await here.open();
    assert.equal(second.rootCertPem, first.rootCertPem);
    await issued(here, second);
    await second.close();
    const { issuances, unreadable } = await readIssuanceLog(path);
    assert.equal(unreadable, 0);
    assert.deepEqual(
      issuances.map(({ outcome }) => outcome),
      ['issued', 'issued'],
    );
    assert.equal(issuances[0]?.serial, leaf.serialNumber.toLowerCase());
    assert.ok(here.lines.some(({ msg }) => String(msg).includes('torn record')));
  });

  it('has a record of every certificate that was out before kill -9', async () => {
    const token = await here.tokens.token();
    const script = join(here.dir, 'issue.ts');
    writeFileSync(
      script,
      `import { openAuthority } from ${JSON.stringify(join(repository, 'ca/authority.ts'))};
       import { pino } from ${JSON.stringify(join(repository, 'node_modules/pino/pino.js'))};
       const [dir, jwksFile, token, csr] = process.argv.slice(2);
       const log = pino.default ? pino.default({ level: 'silent' }) : pino({ level: 'silent' });
       const authority = await openAuthority({ dir, trustDomain: 'cluster.local', clock: () => new Date(), log, jwksFile, issuer: ${JSON.stringify(ISSUER)} });
       const one = async () => {
         for (;;) {
           const result = await authority.issue({ csr, ttlSeconds: 60, authorization: ['Bearer ' + token] });
           if (!result.ok) throw new Error(result.refusal.reason);
           process.stdout.write(result.value.serial + '\\n');
         }
       };
       await Promise.all([one(), one(), one(), one()]);`,
    );
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', script, here.caDir, here.jwksFile, token, requestPem()],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let [out, errors] = ['', ''];
    child.stderr.on('data', (chunk) => (errors += String(chunk)));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
      if (out.length > 33 * 100) child.kill('SIGKILL');
    });
    await gone;
    const serials = out.split('\n').slice(0, -1);
    assert.ok(serials.length >= 100, errors);
    const authority = await here.open();
    await authority.close();
    const files = logFilesAt(join(here.caDir, 'issuance.jsonl'));
    assert.deepEqual((await verifyLog(files, await loadLogKey(files))).findings, []);
    const { issuances, unreadable } = await readIssuanceLog(files.records);
    assert.equal(unreadable, 0);
    const logged = new Set(issuances.map(({ serial }) => serial));
    assert.deepEqual(
      serials.filter((serial) => !logged.has(serial)),
      [],
    );
  });

  it('opens only with sensible options', async () => {
    const open = (options: object) =>
      openAuthority({ dir: here.caDir, trustDomain: TD, clock: () => new Date(now), log: memoryLog().log, ...options });
    await assert.rejects(open({ jwksFile: here.jwksFile }), /without the name of their issuer/);
    await assert.rejects(open({ jwksFile: join(here.dir, 'none'), issuer: ISSUER }), /token keys: .*ENOENT/);
    await assert.rejects(open({ maxTtlSeconds: 0 }), /at least one second/);
    await assert.rejects(open({ maxTtlSeconds: Number.NaN }), /at least one second/);
    const certificatesOnly = await open({});
    const answer = await certificatesOnly.issue({ csr: requestPem(), ttlSeconds: 0, authorization: ['Bearer abc'] });
    assert.ok(!answer.ok && /takes no tokens/.test(answer.refusal.reason));
    await assert.rejects(open({}), /in use by another/);
    await certificatesOnly.close();
    await (await open({})).close();
  });

  it('warns long before its root expires', async () => {
    const authority = await here.open();
    await authority.close();
    now = authority.notAfter.getTime() - 24 * 3600_000;
    await (await here.open()).close();
    assert.ok(here.lines.some(({ msg }) => String(msg).includes('expires soon')));
  });

  it('is shown by gatehouse ca', async () => {
    const authority = await here.open();
    const leaf = await issued(here, authority);
    await authority.close();
    const run = (...args: string[]) => {
      const script = `import { caCommand } from ${JSON.stringify(join(repository, 'cli/ca.ts'))}; await caCommand().parseAsync(process.argv.slice(1), { from: 'user' });`;
      return execFileSync(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script, '--', ...args],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      );
    };
    assert.equal(run('root', '--ca-dir', here.caDir, '-o', 'pem'), authority.rootCertPem);
    const root: unknown = JSON.parse(run('root', '--ca-dir', here.caDir, '-o', 'json'));
    assert.ok(JSON.stringify(root).includes(new X509Certificate(authority.rootCertPem).fingerprint256));
    const log: unknown = JSON.parse(
      run('log', '--ca-dir', here.caDir, '-o', 'json', '--identity', 'cluster.local/ns/shop/sa/cart'),
    );
    assert.ok(JSON.stringify(log).includes(leaf.serialNumber.toLowerCase()));
    assert.match(run('log', '--ca-dir', here.caDir), /system:serviceaccount:shop:cart/);
    assert.throws(() => run('root', '--ca-dir', join(here.dir, 'absent')), /there is no authority/);
  });
});
