// The page as `gatehouse serve` starts it: replicas, certificates in files, logs of other replicas, reports.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import pino from 'pino';
import { openSqliteStore } from '../../../audit/store/sqlite.ts';
import { type Authority, openAuthority } from '../../../ca/authority.ts';
import { parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { type LogRecord, toLine } from '../../../ca/log/record.ts';
import { type PageServer, startPage } from '../../../cli/serve/page-server.ts';
import { type PageFlags, parsePageFlags } from '../../../cli/serve/page-options.ts';
import { PublishedSnapshots } from '../../../cli/serve/published-snapshots.ts';
import { edgeAt, sampleEdges, sampleSnapshot } from '../../browser/sample-calls.ts';
import type { CertificateUse } from '../../../audit/model/certificate-use.ts';
import type { CalledWith } from '../../../audit/page/api/details.ts';
import type { Latency } from '../../../audit/page/api/graph.ts';
import { eventually } from '../../eventually.ts';

const log = pino({ enabled: false });
const clock = (): Date => new Date();
const domain = parseTrustDomain('cluster.local');
assert.ok(domain.ok);

const EVERYTHING = 'everything-0123456789abcdef';
const SHOP = 'shop-only-0123456789abcdef';
const SHOP_CERTIFICATE = 'spiffe://cluster.local/ns/shop/sa/users';
const DEFAULTS = { pageAddress: '127.0.0.1:0', pageOidcClaim: 'groups', pageOidcPrefix: 'gatehouse:', pageOidcScopes: 'openid' };

interface Answer {
  readonly status: number;
  readonly cookie: string;
  readonly body: string;
}

/** One certificate in a log: what was meant, and that it was done. */
function issuance(identity: string, serial: string, ms: number): string {
  const time = new Date(ms).toISOString();
  const records: readonly LogRecord[] = [
    {
      kind: 'intent',
      time,
      serial,
      names: `URI:${identity}`,
      evidence: { kind: 'token', subject: 'system:serviceaccount:shop:users' },
      key: 'EC P-256',
      notBefore: time,
      notAfter: new Date(ms + 3_600_000).toISOString(),
    },
    { kind: 'issued', time, serial, sha256: 'ab' },
  ];
  return records.map(toLine).join('');
}

describe('audit: the page as it is served', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-page-serving-'));
  const tokens = join(folder, 'tokens.yaml');
  const caDir = join(folder, 'ca');
  const auditStore = { engine: 'sqlite', file: join(folder, 'audit.db') } as const;
  const pages: PageServer[] = [];
  let authority: Authority;

  before(async () => {
    writeFileSync(
      tokens,
      JSON.stringify([
        { name: 'security', token: EVERYTHING, namespaces: ['*'] },
        { name: 'shop team', token: SHOP, namespaces: ['shop'] },
      ]),
    );
    const store = await openSqliteStore({ file: auditStore.file, clock });
    await store.append({ edges: sampleEdges(Date.now(), 5), losses: [] });
    await store.close();
    authority = await openAuthority({ dir: caDir, trustDomain: domain.value, clock, log });
  });
  after(async () => {
    for (const page of pages) await page.close();
    await authority.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = async (flags: Partial<PageFlags>, issuanceLog = join(caDir, 'issuance.jsonl')): Promise<PageServer> => {
    const options = parsePageFlags({ ...DEFAULTS, ...flags });
    assert.ok(options.ok && options.value !== undefined, options.ok ? '' : options.reason);
    const page = await startPage(options.value, {
      auditStore,
      issuanceLog,
      authority,
      snapshot: sampleSnapshot,
      streams: () => [],
      published: new PublishedSnapshots(),
      clock,
      log,
    });
    pages.push(page);
    return page;
  };
  const ask = (
    { address: { host, port } }: PageServer,
    path: string,
    headers: Record<string, string> = {},
    body?: string,
    tls = false,
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const take = (response: IncomingMessage): void => {
        let text = '';
        response.on('error', reject);
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            cookie: (response.headers['set-cookie'] ?? []).map((one) => one.split(';', 1)[0] ?? '').join('; '),
            body: text,
          }),
        );
      };
      const options = { host, port, path, headers, method: body === undefined ? 'GET' : 'POST' };
      const request = tls ? tlsRequest({ ...options, rejectUnauthorized: false }, take) : plainRequest(options, take);
      request.on('error', reject);
      request.end(body);
    });
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
  const signIn = async (page: PageServer): Promise<string> => {
    const { status, cookie } = await ask(
      page,
      '/login',
      {
        origin: `http://${page.address.host}:${page.address.port}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      new URLSearchParams({ token: SHOP }).toString(),
    );
    assert.equal(status, 303);
    return cookie;
  };

  it('takes a session that another replica made, where they share the key, and none where they do not', async () => {
    const keys = join(folder, 'session-key');
    writeFileSync(keys, `${randomBytes(32).toString('base64')}\n`);
    const flags = { pageTokens: tokens, pageSessionKey: keys };
    const [first, second] = [await start(flags), await start(flags)];
    const cookie = await signIn(first);
    for (const page of [first, second]) {
      const { status, body } = await ask(page, '/api/session', { cookie });
      assert.equal(status, 200);
      assert.match(body, /"namespaces":\["shop"\]/);
    }
    const alone = await start({ pageTokens: tokens });
    assert.equal((await ask(alone, '/api/session', { cookie })).status, 401);
    assert.equal((await ask(first, '/api/session', { cookie: await signIn(alone) })).status, 401);
  });

  it('uses the certificate that is in the files now, and the last good one while they do not fit together', async () => {
    const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
    const issued = await authority.serverCredentials({ dnsNames: ['localhost'] });
    const put = (file: string, content: unknown): void => {
      assert.ok(typeof content === 'string' || Buffer.isBuffer(content));
      writeFileSync(`${file}.new`, content);
      renameSync(`${file}.new`, file);
    };
    try {
      put(certificate, issued.context().cert);
      put(key, issued.context().key);
      const page = await start({ pageTlsCert: certificate, pageTlsKey: key, pageTokens: tokens });
      const shown = (): Promise<string> =>
        new Promise((resolve, reject) => {
          const { host, port } = page.address;
          const socket = connect({ host, port, rejectUnauthorized: false }, () => {
            resolve(socket.getPeerCertificate().serialNumber.toLowerCase());
            socket.destroy();
          });
          socket.on('error', reject);
        });
      const old = await shown();
      assert.equal(BigInt(`0x${old}`), BigInt(`0x${issued.current().serial}`));
      await issued.renew();
      // One is written after the other.
      put(certificate, issued.context().cert);
      assert.equal((await ask(page, '/api/session', bearer(SHOP), undefined, true)).status, 200);
      assert.equal(await shown(), old);
      put(key, issued.context().key);
      await eventually('the other certificate', async () => ((await shown()) === old ? undefined : true), 20_000);
      assert.equal(BigInt(`0x${await shown()}`), BigInt(`0x${issued.current().serial}`));
      rmSync(key);
      assert.equal((await ask(page, '/api/session', bearer(SHOP), undefined, true)).status, 200);
    } finally {
      issued.close();
    }
  });

  it('shows the certificates that any replica issued, the newest of each identity, also of replicas that came later', async () => {
    const dir = join(folder, 'replica');
    const own = join(dir, 'issuance.jsonl');
    const now = Date.now();
    mkdirSync(dir);
    writeFileSync(own, issuance(SHOP_CERTIFICATE, '01', now - 60_000));
    const page = await start({}, own);
    const shown = async (): Promise<readonly string[]> => {
      const { body } = await ask(page, '/api/certificates');
      return [...body.matchAll(/"serial":"(\w+)"/g)].map(([, serial]) => serial ?? '').sort();
    };
    assert.deepEqual(await shown(), ['01']);
    const copy = (origin: string): string => {
      const folderOfCopy = join(dir, 'replicas', origin);
      mkdirSync(folderOfCopy, { recursive: true });
      writeFileSync(join(folderOfCopy, 'verifier-key'), 'key\n');
      return join(folderOfCopy, 'issuance.jsonl');
    };
    const [first, second] = [copy('00000000000000aa'), copy('00000000000000bb')];
    writeFileSync(first, issuance(SHOP_CERTIFICATE, '02', now));
    writeFileSync(second, issuance('spiffe://cluster.local/ns/web/sa/web', '03', now - 5_000));
    assert.deepEqual(await shown(), ['02', '03']);
    appendFileSync(own, issuance(SHOP_CERTIFICATE, '04', now + 1_000));
    // An older one that comes late counts for nothing.
    appendFileSync(second, issuance(SHOP_CERTIFICATE, '05', now - 30_000));
    assert.deepEqual(await shown(), ['03', '04']);
    rmSync(join(dir, 'replicas', '00000000000000bb'), { recursive: true });
    assert.deepEqual(await shown(), ['04']);
  });

  it('tells with which certificates an edge was called, on what evidence they were issued, and of which nobody knows', async () => {
    const dir = join(folder, 'called-with');
    const own = join(dir, 'issuance.jsonl');
    const now = Date.now();
    mkdirSync(dir);
    const stranger = 'spiffe://cluster.local/ns/web/sa/web';
    writeFileSync(
      own,
      // Another identity's of the same number is none of these.
      `${issuance(SHOP_CERTIFICATE, '00C1', now - 60_000)}${issuance(stranger, '00C2', now)}${issuance(SHOP_CERTIFICATE, 'C4', now)}`,
    );
    const sample = edgeAt({ from: 'shop/users', to: 'shop/mobile', perMinute: 100, path: '/called-with' }, now - 1_000, 0);
    assert.ok(sample !== undefined);
    const use = (serial: string, count: number): CertificateUse => ({
      serial,
      count,
      firstSeen: sample.tally.firstSeen - count,
      lastSeen: sample.tally.lastSeen - count,
    });
    const store = await openSqliteStore({ file: auditStore.file, clock });
    await store.append({ edges: [{ ...sample, certificates: [use('c1', 5), use('c2', 3), use('{other}', 2)] }], losses: [] });
    await store.close();
    const page = await start({ pageTokens: tokens }, own);
    const query = new URLSearchParams({ source: 'workload:shop/users', target: 'workload:shop/mobile' });
    const told = async (token: string): Promise<unknown> => {
      const { body } = await ask(page, `/api/edge?${query.toString()}`, bearer(token));
      const { calledWith, latencyMs }: { calledWith: CalledWith; latencyMs: Latency } = JSON.parse(body);
      assert.ok(latencyMs.p99 !== undefined, body);
      return {
        ...calledWith,
        certificates: calledWith.certificates.map(({ serial, calls, identity, issued }) => [
          serial,
          calls,
          identity,
          issued?.serial,
          issued?.evidence,
        ]),
      };
    };
    const expected = {
      certificates: [
        ['c2', 3, SHOP_CERTIFICATE, undefined, undefined],
        ['c1', 5, SHOP_CERTIFICATE, '00C1', 'token: system:serviceaccount:shop:users'],
      ],
      omitted: 0,
      unnamed: sample.tally.count - 8,
      wholeHours: false,
    };
    assert.deepEqual(await told(SHOP), expected);
    assert.deepEqual(await told(EVERYTHING), expected);
  });

  it('reports to a viewer what touches their namespaces, in each form and whatever they ask for', async () => {
    const page = await start({ pageTokens: tokens });
    const others = /bookinfo|details-v1|reviews|legacy|web-v1/;
    for (const form of ['html', 'json', 'csv']) {
      assert.equal((await ask(page, `/report.${form}`)).status, 401, form);
      const all = await ask(page, `/report.${form}`, bearer(EVERYTHING));
      assert.match(all.body, /details-v1/, form);
      const narrowed = [
        '?namespace=default',
        '?workload=default/details-v1',
        '?identity=cluster.local/ns/default/sa/bookinfo-reviews',
      ];
      for (const query of ['', ...(form === 'json' ? narrowed : [])]) {
        const mine = await ask(page, `/report.${form}${query}`, bearer(SHOP));
        assert.equal(mine.status, 200, query);
        // What was asked for stands in the page, and is no answer.
        const asked = new URLSearchParams(query.slice(1)).values().next().value ?? '';
        const body = asked === '' ? mine.body : mine.body.replaceAll(asked, '').replaceAll(encodeURIComponent(asked), '');
        assert.doesNotMatch(body, others, `${form} ${query}`);
      }
      assert.match((await ask(page, `/report.${form}`, bearer(SHOP))).body, /shop\/users/, form);
    }
  });
});
