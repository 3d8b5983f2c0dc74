import { readFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { addGate } from '../../audit/page/server/auth/gate.ts';
import { readAssets } from '../../audit/page/server/assets.ts';
import { certificatesInLog } from '../../audit/page/server/certificates.ts';
import { addPage } from '../../audit/page/server/routes.ts';
import { storeRecords } from '../../audit/page/server/store-records.ts';
import { LOCAL_VIEWER } from '../../audit/page/server/viewer.ts';
import type { StoreLocation } from '../../audit/store/location.ts';
import { storeQuestions } from '../../audit/store/open.ts';
import type { Authority } from '../../ca/authority.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';
import { formatAddress, type ListenAddress } from '../options/address.ts';
import { listenHttp } from './http-listen.ts';
import { addReportPage, knownHost } from './page.ts';
import { gateOptions } from './page-gate.ts';
import type { PageOptions } from './page-options.ts';
import { proxySummary } from './page-proxies.ts';
import { proxyReport } from './proxy-report.ts';
import type { PublishedSnapshots } from './published-snapshots.ts';

export interface PageServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

export interface PageSurroundings {
  readonly auditStore: StoreLocation;
  readonly issuanceLog: string;
  readonly authority: Pick<Authority, 'serverCredentials'>;
  readonly snapshot: () => Snapshot;
  readonly streams: () => readonly StreamStatus[];
  readonly published: PublishedSnapshots;
  readonly clock: () => Date;
  readonly log: Logger;
}

/** How often it is looked whether a certificate was renewed; the authority's is at half of its life. */
const RENEWED_LOOK_MS = 30_000;

interface Listener {
  readonly app: FastifyInstance;
  close(): void;
}

async function listener({ tls, address, url }: PageOptions, { authority, log }: PageSurroundings): Promise<Listener> {
  const options = { logger: false, bodyLimit: 8 * 1024, forceCloseConnections: true } as const;
  if (tls.kind === 'none')
    return { app: fastify({ ...options, serverFactory: (handler) => createPlainServer(handler) }), close: () => {} };
  const issued =
    tls.kind === 'authority'
      ? await authority.serverCredentials({
          dnsNames: [...new Set(['localhost', 'gatehouse.istio-system.svc', ...(url === undefined ? [] : [url.hostname])])],
          ipAddresses: [...new Set(['127.0.0.1', ...(/^(?:0\.0\.0\.0|::)$/.test(address.host) ? [] : [address.host])])],
        })
      : undefined;
  const context = () => {
    if (tls.kind === 'files') return { cert: readFileSync(tls.certificate), key: readFileSync(tls.key) };
    const { cert, key } = issued?.context() ?? {};
    return { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
  };
  let renewal: NodeJS.Timeout | undefined;
  const app = fastify({
    ...options,
    serverFactory: (handler) => {
      const server = createServer({ ...context(), minVersion: 'TLSv1.2' }, handler);
      renewal = setInterval(() => {
        try {
          server.setSecureContext({ ...context(), minVersion: 'TLSv1.2' });
        } catch (error) {
          log.warn({ err: error }, 'the certificate of the page cannot be read; the one in use stays');
        }
      }, RENEWED_LOOK_MS).unref();
      return server;
    },
  });
  return {
    app,
    close: () => {
      clearInterval(renewal);
      issued?.close();
    },
  };
}

/** Serves who talks to whom. Reads the audit store beside its writer. */
export async function startPage(options: PageOptions, around: PageSurroundings): Promise<PageServer> {
  const { snapshot, clock, log } = around;
  const listening = await listener(options, around);
  const { app } = listening;
  const origin = options.url ?? new URL(`${options.tls.kind === 'none' ? 'http' : 'https'}://${formatAddress(options.address)}`);
  const hosts = options.url === undefined ? [] : [options.url.hostname];
  app.addHook('onRequest', async ({ headers: { host } }, reply) =>
    knownHost(host, hosts)
      ? undefined
      : reply.code(421).send({ error: 'this host name is not served here (say it with --page-url)' }),
  );
  const assets = readAssets();
  const gate = gateOptions(options, origin, clock, (error) => log.warn({ err: error }, 'page: somebody could not sign in'));
  const stylesheet = `/assets/${assets.version}/${assets.styles[0] ?? ''}`;
  const viewerOf = gate === undefined ? () => LOCAL_VIEWER : addGate(app, { ...gate, stylesheet }).viewerOf;
  const store = storeQuestions(around.auditStore);
  addPage(app, {
    records: storeRecords(store, clock),
    snapshot,
    proxies: () => {
      const current = snapshot();
      const changedSince = around.published.comparisons();
      return around.streams().map((status) => proxySummary(proxyReport(status, current, changedSince), current.number));
    },
    certificates: certificatesInLog(around.issuanceLog),
    clock,
    viewerOf,
    authenticated: gate !== undefined,
    assets,
  });
  addReportPage(app, { store, clock, hosts, viewerOf, snapshot });
  return {
    address: await listenHttp(app, options.address, '--page-address'),
    close: async () => {
      listening.close();
      await app.close();
    },
  };
}
