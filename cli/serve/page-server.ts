import fastify from 'fastify';
import { certificatesInLog } from '../../audit/page/server/certificates.ts';
import { addPage } from '../../audit/page/server/routes.ts';
import { storeRecords } from '../../audit/page/server/store-records.ts';
import { LOCAL_VIEWER } from '../../audit/page/server/viewer.ts';
import { sqliteFileReader } from '../../audit/store/sqlite-read.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { ListenAddress } from '../options/address.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';
import { listenHttp } from './http-listen.ts';
import { addReportPage, knownHost } from './page.ts';
import { proxySummary } from './page-proxies.ts';
import { proxyReport } from './proxy-report.ts';
import type { PublishedSnapshots } from './published-snapshots.ts';

export interface PageServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

export interface PageSurroundings {
  readonly auditFile: string;
  readonly issuanceLog: string;
  readonly snapshot: () => Snapshot;
  readonly streams: () => readonly StreamStatus[];
  readonly published: PublishedSnapshots;
  readonly clock: () => Date;
}

/** Serves who talks to whom. Reads the audit store beside its writer. */
export async function startPage(address: ListenAddress, around: PageSurroundings): Promise<PageServer> {
  const { auditFile, issuanceLog, snapshot, clock } = around;
  const app = fastify({ logger: false, bodyLimit: 8 * 1024 });
  app.addHook('onRequest', async ({ headers: { host } }, reply) =>
    knownHost(host, []) ? undefined : reply.code(421).send({ error: 'this host name is not served here' }),
  );
  const store = sqliteFileReader(auditFile);
  addPage(app, {
    records: storeRecords(store, clock),
    snapshot,
    proxies: () => {
      const current = snapshot();
      const changedSince = around.published.comparisons();
      return around.streams().map((status) => proxySummary(proxyReport(status, current, changedSince), current.number));
    },
    certificates: certificatesInLog(issuanceLog),
    clock,
    viewerOf: () => LOCAL_VIEWER,
    authenticated: false,
  });
  addReportPage(app, { store, clock });
  return { address: await listenHttp(app, address, '--page-address'), close: () => app.close() };
}
