import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { connect } from 'node:tls';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { addAccessLogService } from '../../audit/intake/access-log-service.ts';
import type { Directory } from '../../audit/intake/directory.ts';
import { observed as observedBy } from '../../audit/intake/sink.ts';
import { Recorder } from '../../audit/intake/recorder.ts';
import { CallMetrics } from '../../audit/metrics/call-metrics.ts';
import { EVERYTHING } from '../../audit/report/filter.ts';
import { reasonOf } from '../../audit/report/reason.ts';
import { type Report, reportOf } from '../../audit/report/report.ts';
import { sqliteFileReader } from '../../audit/store/sqlite-read.ts';
import { openSqliteStore } from '../../audit/store/sqlite.ts';
import { bootstrap } from './envoy/bootstrap.ts';
import { TestAuthority } from './envoy/certificates.ts';
import { connection, freePort, type Identity, statusOf } from './envoy/client.ts';
import { type Envoy, envoyOrSkip, startEnvoy } from './envoy/process.ts';
import { eventually } from '../eventually.ts';
import { samplesOf } from './metrics/samples.ts';
import { APP, directory as world, EDGE, WEB } from './world.ts';

/** The one Envoy plays all parts; whatever is at 127.0.0.1 has a proxy. */
const directory: Directory = {
  ...world,
  workloadOf: () => 'shop/app',
  workloadByAddress: () => ({ workload: 'shop/app', meshed: true }),
};

/** One line of what is expected: verdict, path or cause, who, how many. */
function told(report: Report): readonly string[] {
  return report.lines
    .map(
      ({ key, tally }) =>
        `${tally.count} ${key.protocol} ${key.path || '-'} ${key.sourcePrincipal || 'unauthenticated'} ${key.mtls ? 'mTLS' : 'plain'} ${key.decision}: ${reasonOf(key)}`,
    )
    .sort();
}

describe('audit: a real Envoy reports', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-envoy-'));
  let envoy: Envoy;
  let authority: TestAuthority;
  let web: Identity;
  let edge: Identity;
  let application: HttpServer;
  let alsPort = 0;
  const metrics = new CallMetrics({
    names: { workload: () => undefined, service: () => undefined },
    clock: () => new Date(),
  });
  let intake: { readonly recorder: Recorder; readonly file: string; close(): Promise<void> } | undefined;

  /** A control plane's intake, with a store of its own. */
  async function startIntake(name: string): Promise<NonNullable<typeof intake>> {
    const file = join(folder, `${name}.db`);
    const clock = (): Date => new Date();
    const log = pino({ level: 'silent' });
    const recorder = new Recorder({ open: () => openSqliteStore({ file, clock }), log, clock, flushMs: 20 });
    const server = new Server();
    addAccessLogService(server, {
      authenticate: () => ({ ok: true, value: APP }),
      directory,
      sink: observedBy([metrics], recorder),
      log,
      clock,
    });
    alsPort = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${alsPort}`, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    return {
      recorder,
      file,
      close: async () => {
        server.forceShutdown();
        await recorder.close();
      },
    };
  }

  async function reported(calls: number): Promise<Report> {
    assert.ok(intake);
    const { recorder, file } = intake;
    await eventually(`${calls} calls are counted`, () => (recorder.stats.counted >= calls ? true : undefined)).catch(
      (error: unknown) => {
        throw new Error(JSON.stringify(recorder.stats), { cause: error });
      },
    );
    await recorder.flush();
    const observed = await sqliteFileReader(file).query({ since: undefined, until: undefined });
    return reportOf(observed, { period: { since: undefined, until: undefined }, filter: EVERYTHING, now: new Date() });
  }

  before(async function () {
    const path = envoyOrSkip(this);
    authority = await TestAuthority.create();
    const { root } = authority;
    web = { issued: await authority.issue(WEB), root };
    edge = { issued: await authority.issue(EDGE), root };
    application = createServer((_request, response) => response.end('ok'));
    await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
    const at = application.address();
    assert.ok(at !== null && typeof at === 'object');
    intake = await startIntake('first');
    const [deadPort, plainPort] = [await freePort(), await freePort()];
    envoy = await startEnvoy(
      path,
      bootstrap({ alsPort, appPort: at.port, deadPort, plainPort, certificate: await authority.issue(APP), root }),
      folder,
    );
  });
  after(async () => {
    await envoy?.stop();
    await intake?.close();
    application?.close();
    rmSync(folder, { recursive: true });
  });

  async function times(count: number, call: () => Promise<unknown>, status?: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const got = await call();
      if (status !== undefined) assert.equal(got, status);
    }
  }

  it('every call once, with who decided: allowed, denied, plain, TCP, never arrived', async () => {
    const to =
      (listener: string, path: string, options: Parameters<typeof statusOf>[2] = {}) =>
      (): Promise<number | undefined> =>
        statusOf(envoy.port(listener), path, options);
    await times(5, to('mtls', '/cart/1?secret=1', { as: web }), 200);
    await times(3, to('mtls', '/admin/users', { as: web }), 403);
    await times(4, to('mtls', '/cart/2', { as: edge }), 403);
    await times(2, to('mtls', '/cart/3'));
    await times(6, to('plain', '/cart/4'), 200);
    await times(2, () => connection(envoy.port('tcp'), web));
    await times(3, () => connection(envoy.port('tcp'), edge));
    // Told by two proxies, counted once: at its destination.
    await times(7, to('outbound', '/ok'), 200);
    await times(2, to('outbound', '/dead'), 503);
    await times(3, to('outbound', '/nowhere'), 404);
    await times(4, to('outbound', '/ok/abort', { headers: { 'x-abort': '1' } }), 555);
    await times(1, () => connection(envoy.port('outbound-tcp')));
    // No HTTP at all: refused before any filter, so neither allowed nor denied.
    await times(2, () => connection(envoy.port('mtls'), web, 'nonsense\r\n\r\n'));
    // Two hops each: the client to the gateway, the gateway to the workload.
    await times(8, to('gateway', '/ok/gate'), 200);
    await times(2, to('gateway', '/dead/gate'), 503);
    const calls = 5 + 3 + 4 + 2 + 6 + 2 + 3 + 7 + 2 + 3 + 4 + 1 + 2 + 8 * 2 + 2 * 2;
    const report = await reported(calls);
    const none = 'no rule of istio-system/all, shop/web allowed it';
    const unnamed = 'allowed; the proxy named no rule (ALLOW policies: istio-system/all, shop/web)';
    const plainText = 'refused before any request: plain text where mutual TLS is required, or a failed handshake';
    assert.deepEqual(told(report), [
      `1 TCP - ${APP} plain ALLOW: did not arrive: upstream_connection_failure`,
      `2 HTTP/1.1 - ${WEB} mTLS ALLOW: did not arrive: http1.codec_error`,
      `2 HTTP/1.1 /dead ${APP} plain ALLOW: did not arrive: upstream_reset_before_response_started`,
      `2 HTTP/1.1 /dead/gate ${APP} plain ALLOW: did not arrive: upstream_reset_before_response_started`,
      `2 HTTP/1.1 /dead/gate unauthenticated plain ALLOW: did not arrive: upstream_reset_before_response_started`,
      `2 TCP - ${WEB} mTLS ALLOW: ${unnamed}`,
      `2 TCP - unauthenticated plain DENY: ${plainText}`,
      `3 HTTP/1.1 /admin/users ${WEB} mTLS DENY: rule 0 of shop/no-admin denied it`,
      `3 HTTP/1.1 /nowhere ${APP} plain ALLOW: did not arrive: route_not_found`,
      `3 TCP - ${EDGE} mTLS DENY: ${none}`,
      `4 HTTP/1.1 /cart/{id} ${EDGE} mTLS DENY: ${none}`,
      `4 HTTP/1.1 /ok/abort ${APP} plain ALLOW: did not arrive: fault_filter_abort`,
      `5 HTTP/1.1 /cart/{id} ${WEB} mTLS ALLOW: rule 1 of shop/web allowed it`,
      `6 HTTP/1.1 /cart/{id} unauthenticated plain ALLOW: ${unnamed}`,
      `7 HTTP/1.1 /ok unauthenticated plain ALLOW: ${unnamed}`,
      `8 HTTP/1.1 /ok/gate unauthenticated plain ALLOW: ${unnamed}`,
      `8 HTTP/1.1 /ok/gate unauthenticated plain ALLOW: ${unnamed}`,
    ]);
    assert.deepEqual(
      [report.totals.calls, report.totals.denied, report.totals.unreached, report.totals.lost],
      [calls, 12, 16, 0],
    );
    const services = new Set(
      report.lines
        .filter(({ key }) => key.verdict === 'unreached' && key.destinationPrincipal === '')
        .map(({ key }) => `${key.service}:${key.port}`),
    );
    assert.deepEqual([...services].sort(), ['app.shop.svc.cluster.local:9080', 'dead.shop.svc.cluster.local:9080']);
  });

  it('names the certificate of each call, requests and connections, denied ones too, across a renewal', async () => {
    assert.ok(intake);
    const before = intake.recorder.stats.counted;
    const serial = (issued: Identity): string =>
      new X509Certificate(issued.issued.cert).serialNumber.toLowerCase().replace(/^0+/, '');
    const renewed: Identity = { ...web, issued: await authority.issue(WEB) };
    const to = (as: Identity, path: string) => (): Promise<number | undefined> => statusOf(envoy.port('mtls'), path, { as });
    await times(9, to(web, '/renewal'), 200);
    await times(4, to(renewed, '/renewal'), 200);
    await times(2, to(renewed, '/admin/renewal'), 403);
    await times(3, () => connection(envoy.port('tcp'), renewed));
    await reported(before + 18);
    const { edges } = await sqliteFileReader(intake.file).query({ since: undefined, until: undefined, certificates: true });
    const uses = (path: string, principal: string): readonly (readonly [string, number])[] =>
      edges
        .filter(({ key }) => key.path === path && key.sourcePrincipal === principal)
        .flatMap(({ certificates = [] }) => certificates.map((use) => [use.serial, use.count] as const));
    assert.deepEqual(uses('/renewal', WEB).toSorted(), [[serial(web), 9] as const, [serial(renewed), 4] as const].toSorted());
    assert.deepEqual(uses('/admin/renewal', WEB), [[serial(renewed), 2]]);
    assert.deepEqual(
      uses('', WEB).filter(([name]) => name === serial(renewed)),
      [[serial(renewed), 3]],
    );
    assert.equal(
      edges.find(({ key, certificates }) => !key.mtls && certificates !== undefined),
      undefined,
    );
  });

  it('counts connections as opened when they begin and closed when they end, each once, also such that never arrive or are denied', async () => {
    const counts = (): readonly number[] => {
      const all = samplesOf([...metrics.exposition()].join(''));
      return ['opened', 'closed'].map((what) =>
        all.filter(({ name }) => name === `istio_tcp_connections_${what}_total`).reduce((sum, { value }) => sum + value, 0),
      );
    };
    const until = (opened: number, closed: number): Promise<true> =>
      eventually(`${opened} opened, ${closed} closed`, () => {
        const [seenOpened, seenClosed] = counts();
        return seenOpened === opened && seenClosed === closed ? true : undefined;
      }).catch((error: Error) => assert.fail(`${error.message}: ${JSON.stringify(counts())}`));
    const [opened = 0, closed = 0] = counts();
    assert.equal(opened, closed);
    assert.ok(intake);
    const edges = intake.recorder.stats.counted;
    const open = connect({ host: '127.0.0.1', port: envoy.port('tcp'), ...web.issued, rejectUnauthorized: false });
    open.on('error', () => undefined);
    open.write('GET / HTTP/1.1\r\n');
    await until(opened + 1, closed);
    assert.equal(intake.recorder.stats.counted, edges);
    open.destroy();
    await until(opened + 1, closed + 1);
    await times(20, () => connection(envoy.port('tcp'), web));
    await times(10, () => connection(envoy.port('tcp'), edge));
    await times(5, () => connection(envoy.port('outbound-tcp')));
    await times(4, () => connection(envoy.port('mtls')));
    await reported(edges + 40);
    await until(opened + 40, closed + 40);
  });

  it('counts hundreds of calls at once exactly', async () => {
    const before = intake?.recorder.stats.counted ?? 0;
    const port = envoy.port('mtls');
    for (let round = 0; round < 20; round++)
      await Promise.all(Array.from({ length: 25 }, () => statusOf(port, '/bulk', { as: web })));
    const report = await reported(before + 500);
    assert.equal(report.lines.find(({ key }) => key.path === '/bulk')?.tally.count, 500);
  });

  it('goes on when the control plane was away: what was called in between is lost in Envoy, what follows is counted', async () => {
    await intake?.close();
    const port = envoy.port('mtls');
    await times(20, () => statusOf(port, '/away', { as: web }), 200);
    intake = await startIntake('second');
    const { recorder } = intake;
    await eventually('the first record after the return', async () => {
      await statusOf(port, '/back', { as: web });
      return recorder.stats.counted > 0 ? true : undefined;
    });
    await times(10, () => statusOf(port, '/after', { as: web }), 200);
    await eventually('all that followed', () => {
      void recorder.flush();
      return recorder.stats.counted >= 11 ? true : undefined;
    });
    const count = async (path: string): Promise<number> =>
      (await reported(11)).lines.find(({ key }) => key.path === path)?.tally.count ?? 0;
    await eventually('the ten calls', async () => ((await count('/after')) === 10 ? true : undefined));
    assert.ok((await count('/away')) <= 20);
  });
});
