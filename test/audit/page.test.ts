import assert from 'node:assert/strict';
import { request } from 'node:http';
import { fastify, type FastifyInstance } from 'fastify';
import type { Period, StoreReader } from '../../audit/store/store.ts';
import { addReportPage, type ReportPageOptions } from '../../cli/serve/report-page.ts';
import { edge } from './edges.ts';
import { NOW } from './world.ts';

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

let asked: Period | undefined;
const store: Pick<StoreReader, 'query'> = {
  query: (period) => {
    asked = period;
    return Promise.resolve({
      edges: [edge(), edge({ template: '/<b>', verdict: { kind: 'denied-no-rule', policies: ['shop/web'] } })],
      losses: [],
      gaps: [],
    });
  },
};
const broken: Pick<StoreReader, 'query'> = { query: () => Promise.reject(new Error('there is no audit store at <x>')) };

interface Site {
  readonly port: number;
  close(): Promise<void>;
}

async function open(options: ReportPageOptions): Promise<Site> {
  const app: FastifyInstance = fastify();
  addReportPage(app, options);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const at = app.server.address();
  assert.ok(at !== null && typeof at === 'object');
  return { port: at.port, close: () => app.close().then(() => undefined) };
}

function ask(site: Site, path: string, options: { readonly host?: string; readonly method?: string } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: site.port,
        path,
        method: options.method ?? 'GET',
        agent: false,
        headers: { host: options.host ?? `127.0.0.1:${site.port}` },
      },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

describe('audit: report as web pages', () => {
  let site: Site;
  before(async () => (site = await open({ store, clock: () => NOW })));
  after(() => site.close());

  it('shows the report, refreshes itself and escapes what callers chose', async () => {
    const { status, headers, body } = await ask(site, '/report.html');
    assert.deepEqual([status, headers['content-type']], [200, 'text/html; charset=utf-8']);
    assert.match(body, /<meta http-equiv="refresh" content="5">/);
    assert.ok(body.includes('/&lt;b&gt;') && !body.includes('<b>'));
    assert.deepEqual(asked, { since: NOW.getTime() - 86_400_000, until: undefined, latencies: true });
  });

  it('forbids scripts, framing, sniffing and keeping, and loads nothing', async () => {
    const { headers, body } = await ask(site, '/report.html');
    assert.match(
      String(headers['content-security-policy']),
      /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    assert.deepEqual(
      [
        headers['x-content-type-options'],
        headers['cache-control'],
        headers['referrer-policy'],
        headers['cross-origin-resource-policy'],
      ],
      ['nosniff', 'no-store', 'no-referrer', 'same-origin'],
    );
    assert.ok(!/<(script|img|link|iframe)|https?:/i.test(body));
  });

  it('gives JSON and CSV of the same question', async () => {
    const json: unknown = JSON.parse((await ask(site, '/report.json?verdict=denied&since=15m')).body);
    assert.ok(typeof json === 'object' && json !== null && 'edges' in json && Array.isArray(json.edges));
    assert.equal(json.edges.length, 1);
    assert.equal(asked?.since, NOW.getTime() - 900_000);
    const csv = await ask(site, '/report.csv?namespace=shop');
    assert.equal(csv.body.split('\r\n').length, 4);
    assert.equal(csv.headers['content-type'], 'text/csv; charset=utf-8');
  });

  it('keeps the question in its links', async () => {
    const { body } = await ask(site, '/report.html?namespace=shop&verdict=denied');
    assert.ok(body.includes('href="/report.csv?namespace=shop&amp;verdict=denied"'));
    assert.ok(body.includes('href="/report.html?namespace=shop"'));
  });

  it('refuses a question it cannot read', async () => {
    const { status, body, headers } = await ask(site, '/report.html?since=%3Cscript%3E');
    assert.deepEqual([status, headers['content-type']], [400, 'text/plain; charset=utf-8']);
    assert.match(body, /^since: /);
  });

  it('refuses a host name that is not its own', async () => {
    for (const host of [
      'evil.example',
      'evil.example:80',
      '127.0.0.1.evil.example',
      'localhost@evil',
      '[::1',
      'gatehouse.example',
    ]) {
      assert.equal((await ask(site, '/report.json', { host })).status, 421, host);
    }
    for (const host of ['localhost', 'LOCALHOST:15080', '[::1]:15080', '192.0.2.7:80'])
      assert.equal((await ask(site, '/report.html', { host })).status, 200, host);
  });

  it('has nothing else', async () => {
    assert.equal((await ask(site, '/nothing')).status, 404);
    assert.notEqual((await ask(site, '/report.html', { method: 'POST' })).status, 200);
    assert.equal((await ask(site, '/report.html', { method: 'HEAD' })).body, '');
  });

  it('says so when the store cannot be read', async () => {
    const without = await open({ store: broken, clock: () => NOW });
    const { status, body } = await ask(without, '/report.html');
    await without.close();
    assert.equal(status, 503);
    assert.match(body, /the audit store cannot be read: there is no audit store/);
  });
});
