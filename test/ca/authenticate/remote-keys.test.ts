import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { discoveredKeys } from '../../../ca/authenticate/discovery.ts';
import { httpsGet } from '../../../ca/authenticate/https-get.ts';
import { remoteKeys } from '../../../ca/authenticate/remote-keys.ts';
import { tokenVerifier } from '../../../ca/authenticate/token.ts';
import { parsed, refused, type Parsed } from '../../../ca/identity/parsed.ts';
import { AUDIENCE, ISSUER, memoryLog, TD, temporaryFolder, tokenIssuer } from '../world.ts';

const MINUTE = 60_000;

describe('ca/authenticate: keys of a token issuer from afar', () => {
  let [monotonic, fetches] = [0, 0];
  let answer: Parsed<string> = refused('away');
  const { log, lines } = memoryLog();
  const [first, second] = [tokenIssuer('k1'), tokenIssuer('k2')];
  const verifier = () => {
    const keys = remoteKeys({
      fetchKeys: () => {
        fetches++;
        return Promise.resolve(answer);
      },
      log,
      clock: () => monotonic,
    });
    return tokenVerifier({ keys, issuer: ISSUER, audience: AUDIENCE, trustDomain: TD, clock: () => new Date() });
  };
  const outcomeOf = async (verify: ReturnType<typeof verifier>, token: string) => {
    const caller = await verify(token);
    return caller.ok ? 'ok' : 'unavailable' in caller ? `unavailable: ${caller.reason}` : caller.reason;
  };
  beforeEach(async () => {
    [monotonic, fetches, lines.length] = [0, 0, 0];
    answer = parsed(await first.jwks());
  });

  it('are fetched once for many callers, and again when they are old', async () => {
    const verify = verifier();
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, index) => first.token({ sub: `system:serviceaccount:a:b${index}` })),
    );
    assert.deepEqual(new Set(await Promise.all(tokens.map((token) => outcomeOf(verify, token)))), new Set(['ok']));
    assert.equal(fetches, 1);
    monotonic += 5 * MINUTE;
    assert.equal(await outcomeOf(verify, await first.token()), 'ok');
    assert.equal(fetches, 2);
  });

  it('are looked for when a token names an unknown key, but not in a flood', async () => {
    const verify = verifier();
    assert.equal(await outcomeOf(verify, await first.token()), 'ok');
    monotonic += 10_000;
    answer = parsed(await second.jwks());
    assert.equal(await outcomeOf(verify, await second.token()), 'ok');
    assert.equal(fetches, 2);
    for (let index = 0; index < 100; index++)
      assert.match(await outcomeOf(verify, await first.token({ kid: `made-up-${index}` })), /no key of the issuer/);
    assert.equal(fetches, 2);
    monotonic += 10_000;
    await outcomeOf(verify, await first.token({ kid: 'made-up' }));
    assert.equal(fetches, 3);
  });

  it('leave with the key: a token of a key that was taken away does not count, remembered or not', async () => {
    const verify = verifier();
    const token = await first.token();
    assert.equal(await outcomeOf(verify, token), 'ok');
    answer = parsed(await second.jwks());
    monotonic += 10 * MINUTE;
    assert.match(await outcomeOf(verify, token), /no key of the issuer/);
  });

  it('stay in use for a day while the issuer is away, and are asked for with pauses', async () => {
    const verify = verifier();
    const token = await first.token();
    assert.equal(await outcomeOf(verify, token), 'ok');
    answer = refused('away');
    monotonic += 23 * 60 * MINUTE;
    for (let index = 0; index < 50; index++) assert.equal(await outcomeOf(verify, token), 'ok');
    assert.equal(fetches, 2);
    monotonic += 61 * MINUTE;
    assert.match(await outcomeOf(verify, token), /^unavailable: the token issuer has been away for too long/);
    answer = parsed(await first.jwks());
    monotonic += 10_000;
    assert.equal(await outcomeOf(verify, token), 'ok');
    assert.equal(lines.filter(({ level }) => level === 50).length, 1);
  });

  it('that were never there make tokens unavailable, not wrong', async () => {
    for (const nothing of [refused('away'), parsed('{}'), parsed('<html>')]) {
      answer = nothing;
      assert.match(
        await outcomeOf(verifier(), await first.token()),
        /^unavailable: the keys of the token issuer could not be fetched/,
      );
    }
  });
});

describe('ca/authenticate: OpenID Connect discovery', () => {
  let temporary: ReturnType<typeof temporaryFolder>;
  let server: Server;
  let [base, roots] = ['', ''];
  let answers: Record<string, { readonly status?: number; readonly body: string; readonly headers?: Record<string, string> }> =
    {};

  before(async function () {
    temporary = temporaryFolder();
    const [key, cert] = [join(temporary.path, 'key.pem'), join(temporary.path, 'cert.pem')];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    const names = ['-subj', '/CN=issuer', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
    execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    roots = readFileSync(cert, 'utf8');
    server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      const found = answers[request.url ?? ''];
      if (found?.body === 'never') return;
      response.writeHead(found?.status ?? (found === undefined ? 404 : 200), found?.headers).end(found?.body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    base = `https://127.0.0.1:${address.port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    temporary.remove();
  });

  const configuration = (issuer: string, jwksUri: string) => ({ body: JSON.stringify({ issuer, jwks_uri: jwksUri }) });

  it('leads from the issuer to its keys, over https with the given roots', async () => {
    const jwks = await tokenIssuer().jwks();
    answers = { '/.well-known/openid-configuration': configuration(base, `${base}/keys`), '/keys': { body: jwks } };
    assert.deepEqual(await discoveredKeys(base, httpsGet(roots))(), parsed(jwks));
    // Kubernetes may have a path and a slash in its issuer.
    answers['/a/.well-known/openid-configuration'] = configuration(`${base}/a/`, `${base}/keys`);
    assert.deepEqual(await discoveredKeys(`${base}/a/`, httpsGet(roots))(), parsed(jwks));
    const untrusted = await discoveredKeys(base, httpsGet())();
    assert.ok(!untrusted.ok && /certificate/.test(untrusted.reason), JSON.stringify(untrusted));
  });

  it('refuses what leads elsewhere, is no answer or is too large', async () => {
    const at = '/.well-known/openid-configuration';
    const cases: readonly (readonly [typeof answers, RegExp])[] = [
      [{}, /answers 404/],
      [{ [at]: { body: 'no json' } }, /no OpenID configuration/],
      [{ [at]: { body: '{"issuer":1}' } }, /no OpenID configuration/],
      [{ [at]: configuration('https://other', `${base}/keys`) }, /of another issuer/],
      [{ [at]: configuration(base, 'http://127.0.0.1/keys') }, /no https address/],
      [{ [at]: configuration(base, 'file:///etc/passwd') }, /no https address/],
      [{ [at]: { status: 302, body: '', headers: { location: `${base}/keys` } } }, /answers 302/],
      [{ [at]: configuration(base, `${base}/keys`), '/keys': { body: 'x'.repeat(1024 * 1024 + 1) } }, /larger than 1 MiB/],
    ];
    for (const [given, expected] of cases) {
      answers = given;
      const keys = await discoveredKeys(base, httpsGet(roots))();
      assert.ok(!keys.ok && expected.test(keys.reason), `${String(expected)}: ${JSON.stringify(keys).slice(0, 200)}`);
    }
    for (const issuer of ['http://127.0.0.1', 'issuer', 'https://user:password@127.0.0.1'])
      assert.equal((await discoveredKeys(issuer, httpsGet(roots))()).ok, false);
    assert.equal((await httpsGet(roots)(new URL('http://127.0.0.1/'))).ok, false);
  });

  it('does not wait for ever', async () => {
    answers = { '/.well-known/openid-configuration': { body: 'never' } };
    const keys = await discoveredKeys(base, httpsGet(roots, 50))();
    assert.ok(!keys.ok && /does not answer/.test(keys.reason));
  });
});
