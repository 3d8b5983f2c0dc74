import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

interface Done {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function proxyStatus(...args: readonly string[]): Promise<Done> {
  const all = ['--disable-warning=ExperimentalWarning', join(root, 'cli', 'main.ts'), 'proxy', 'status', ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, all, (error, out, err) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err });
    });
  });
}

describe('gatehouse proxy status', () => {
  let server: Server;
  let http: string;
  let acknowledged: number;
  let rejected: readonly unknown[];
  let automaticScope: object | undefined;

  before(async () => {
    server = createServer((request, response) => {
      if (request.url !== '/debug/syncz') return void response.writeHead(404).end();
      const proxy = {
        node: 'sidecar~10.0.0.5~cart-0.shop~cluster.local',
        pod: 'cart-0.shop',
        known: true,
        accepted: acknowledged,
        waitingSince: acknowledged < 7 ? '2026-11-21T08:00:01.000Z' : null,
        types: [{ type: 'CDS', outstanding: 0, responses: 1 }],
        identity: 'spiffe://cluster.local/ns/shop/sa/cart',
        variant: 'delta',
        connectedAt: '2026-11-21T08:00:00.000Z',
        acknowledged,
        rejected,
        automaticScope,
      };
      response.end(JSON.stringify({ snapshot: 7, proxies: [proxy] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    http = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  });
  beforeEach(() => {
    acknowledged = 7;
    rejected = [];
    automaticScope = undefined;
  });
  after(() => new Promise((resolve) => server.close(resolve)));

  it('lists proxies that are in sync, and exits with 0', async () => {
    const { code, out, err } = await proxyStatus('--http', http);
    assert.equal(code, 0, err);
    assert.match(out, /Snapshot 7/);
    assert.match(out, /cart-0\.shop .*spiffe:\/\/cluster\.local\/ns\/shop\/sa\/cart .*delta .*in sync/);
  });

  it('says of how many services a proxy with an automatic scope was told', async () => {
    assert.doesNotMatch((await proxyStatus('--http', http)).out, /SCOPE/);
    automaticScope = { services: 3, of: 1000 };
    const { out } = await proxyStatus('--http', http);
    assert.match(out, /STATE +SCOPE +CDS/);
    assert.match(out, /in sync +3 of 1000 /);
  });

  it('exits with 1 for one that is behind, or has rejected something', async () => {
    acknowledged = 6;
    const behind = await proxyStatus('--http', http);
    assert.equal(behind.code, 1);
    assert.match(behind.out, /at 6 of 7, for \d+ \w+/);
    acknowledged = 7;
    rejected = [
      {
        type: 'LDS',
        causes: [{ object: 'Gateway shop/g', file: 'g.yaml', line: 3, changed: true }],
        typeUrl: 'type.googleapis.com/envoy.config.listener.v3.Listener',
        name: 'inbound',
        message: 'no such filter',
      },
    ];
    const refused = await proxyStatus('--http', http);
    assert.equal(refused.code, 1);
    assert.match(refused.out, /LDS inbound: no such filter\n +caused by Gateway shop\/g \(g\.yaml:3\)/);
  });

  it('-o json gives all of it', async () => {
    const { code, out } = await proxyStatus('--http', http, '-o', 'json');
    assert.equal(code, 0);
    const parsed: { readonly snapshot: number } = JSON.parse(out);
    assert.equal(parsed.snapshot, 7);
  });

  it('says what to do where nobody answers, or the address is none', async () => {
    const nobody = await proxyStatus('--http', '127.0.0.1:1');
    assert.equal(nobody.code, 1);
    assert.match(nobody.err, /no control plane answers at 127\.0\.0\.1:1: .*--http/);
    assert.equal((await proxyStatus('--http', 'here')).code, 2);
  });
});
