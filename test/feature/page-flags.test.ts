// The page of a whole mesh as `gatehouse up` starts it with flags of its own: over TLS, by a name, to the holders of tokens.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '../audit/envoy/certificates.ts';
import { eventually } from '../eventually.ts';
import { send } from './load.ts';
import { serverStatus, startPair, throughClient } from './pair.ts';
import type { RunningMesh } from './running-mesh.ts';

const NAME = 'mesh.example';
const EVERYTHING = 'everything-0123456789abcdef';
const PAIR = 'pair-only-0123456789abcdef';
const ELSEWHERE = 'elsewhere-0123456789abcdef';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe('the page that gatehouse up serves by its flags', function () {
  this.timeout(240_000);
  const dir = mkdtempSync(join(tmpdir(), 'gh-page-flags-'));
  const tokens = join(dir, 'tokens.yaml');
  let authority: TestAuthority;
  let mesh: RunningMesh;

  const writeTokens = (more: readonly object[]): void => {
    const sha256 = createHash('sha256').update(EVERYTHING).digest('hex');
    writeFileSync(`${tokens}.new`, JSON.stringify([{ name: 'security', sha256, namespaces: ['*'] }, ...more]));
    renameSync(`${tokens}.new`, tokens);
  };
  before(async () => {
    authority = await TestAuthority.create();
    const { cert, key } = await authority.issueForHost(NAME);
    writeFileSync(join(dir, 'cert.pem'), cert);
    writeFileSync(join(dir, 'key.pem'), key);
    writeTokens([
      { name: 'pair team', token: PAIR, namespaces: ['pair'] },
      { name: 'another team', token: ELSEWHERE, namespaces: ['elsewhere'] },
    ]);
    mesh = await startPair('explicit', [
      ...['--page-address', '127.0.0.1:0', '--page-url', `https://${NAME}`, '--page-tokens', tokens],
      ...['--page-tls-cert', join(dir, 'cert.pem'), '--page-tls-key', join(dir, 'key.pem')],
    ]);
  });
  after(async () => {
    await mesh?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A client that trusts who issued the page's certificate, and nobody else, for the name of --page-url. */
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}, form?: string): Promise<Answer> => {
    const { page = '' } = mesh.ready.controlPlane;
    const [host, port] = page.split(':');
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...{ host, port, path, agent: false, ca: authority.root, servername: NAME },
          method: form === undefined ? 'GET' : 'POST',
          headers: { host: NAME, ...headers },
        },
        (response) => {
          let body = '';
          response.on('error', reject);
          response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
        },
      );
      sent.on('error', reject);
      sent.end(form);
    });
  };
  const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` });
  const nodes = async (token: string): Promise<readonly string[]> => {
    const { status, body } = await ask('/api/graph', bearer(token));
    assert.equal(status, 200, body);
    const graph: { readonly nodes: readonly { readonly id: string }[] } = JSON.parse(body);
    return graph.nodes.map(({ id }) => id);
  };

  it('answers by its name alone, over TLS, and nobody without a token', async () => {
    assert.equal((await ask('/api/graph')).status, 401);
    assert.equal((await ask('/api/graph', bearer('not-a-token-0123456789abcdef'))).status, 401);
    assert.equal((await ask('/', { accept: 'text/html' })).headers.location, '/login');
    assert.equal((await ask('/api/graph', { ...bearer(EVERYTHING), host: 'elsewhere.example' })).status, 421);
    await assert.rejects(fetch(`http://${mesh.ready.controlPlane.page ?? ''}/`));
    const assets = await ask('/', bearer(EVERYTHING));
    assert.match(String(assets.headers['content-security-policy']), /default-src 'none'/);
  });

  it('shows each reader the calls of their namespaces', async () => {
    const { failures } = await send({ ...throughClient(mesh), name: serverStatus }, 5);
    assert.deepEqual(failures, [], mesh.log());
    const seen = await eventually('the calls on the page', async () => {
      const found = await nodes(PAIR);
      return found.includes('workload:pair/server') ? found : undefined;
    });
    assert.ok(seen.includes('workload:pair/client'));
    assert.ok((await nodes(EVERYTHING)).includes('workload:pair/server'));
    assert.deepEqual(
      (await nodes(ELSEWHERE)).filter((id) => id.startsWith('workload:pair/')),
      [],
    );
  });

  it('has sessions that end with their token, and is at the same address when the control plane was killed', async () => {
    const form = { origin: `https://${NAME}`, 'content-type': 'application/x-www-form-urlencoded' };
    const entered = await ask('/login', form, new URLSearchParams({ token: PAIR }).toString());
    assert.equal(entered.status, 303);
    const [cookie = ''] = entered.headers['set-cookie'] ?? [];
    assert.match(cookie, /^__Host-gatehouse=.*; HttpOnly; SameSite=Strict; Secure$/);
    const session = { cookie: cookie.split(';', 1)[0] ?? '' };
    const { name, namespaces }: { readonly name: string; readonly namespaces: unknown } = JSON.parse(
      (await ask('/api/session', session)).body,
    );
    assert.deepEqual({ name, namespaces }, { name: 'pair team', namespaces: ['pair'] });
    writeTokens([]);
    await eventually('the session to end', async () => ((await ask('/api/session', session)).status === 401 ? true : undefined));
    const before = await eventually('the control plane', () => mesh.status());
    process.kill(before.pid, 'SIGKILL');
    await eventually(
      'the page of the next control plane',
      async () => {
        const now = await mesh.status();
        if (now === undefined || now.pid === before.pid) return undefined;
        return (await ask('/api/session', bearer(EVERYTHING)).catch(() => undefined))?.status === 200 ? true : undefined;
      },
      60_000,
    );
    assert.ok((await nodes(EVERYTHING)).includes('workload:pair/server'));
    assert.equal((await ask('/api/graph', bearer(PAIR))).status, 401);
  });
});
