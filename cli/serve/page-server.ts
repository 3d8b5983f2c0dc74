import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { addGate } from '../../audit/page/server/auth/gate.ts';
import { readAssets } from '../../audit/page/server/assets.ts';
import { certificatesInLogs } from '../../audit/page/server/certificates.ts';
import { addPage } from '../../audit/page/server/routes.ts';
import { storeRecords } from '../../audit/page/server/store-records.ts';
import { LOCAL_VIEWER } from '../../audit/page/server/viewer.ts';
import type { StoreLocation } from '../../audit/store/location.ts';
import { storeQuestions } from '../../audit/store/open.ts';
import type { Authority } from '../../ca/authority.ts';
import { copiesIn } from '../../ca/log/gather/copy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';
import { formatAddress, type ListenAddress } from '../options/address.ts';
import { listenHttp } from './http-listen.ts';
import { knownHost } from './known-host.ts';
import { gateOptions } from './page-gate.ts';
import { pageListener } from './page-listener.ts';
import { ownSessionKeys, type SessionKeys, sessionKeysIn, sharedSessionKeys, type SharedText } from './page-session-keys.ts';
import type { PageOptions } from './page-options.ts';
import { proxySummary } from './page-proxies.ts';
import { pageRollouts } from './page-rollouts.ts';
import { proxyReport } from './proxy-report.ts';
import { addReportPage } from './report-page.ts';
import type { RunningRollouts } from './rollout/controller.ts';
import type { PublishedSnapshots } from './published-snapshots.ts';

export interface PageServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

export interface PageSurroundings {
  readonly auditStore: StoreLocation;
  /** Copies of other replicas' are beside it. */
  readonly issuanceLog: string;
  /** Absent where this control plane runs no rollouts. */
  readonly rollouts?: Pick<RunningRollouts, 'last' | 'plan'>;
  /** Where replicas share what sessions are sealed with. */
  readonly sessions?: () => Promise<SharedText>;
  readonly authority: Pick<Authority, 'serverCredentials'>;
  readonly snapshot: () => Snapshot;
  readonly streams: () => readonly StreamStatus[];
  readonly published: PublishedSnapshots;
  readonly clock: () => Date;
  readonly log: Logger;
}

/** Where nobody signs in nothing is shared. */
async function sessionKeys(
  { tokensFile, oidc, sessionKeyFile }: PageOptions,
  { sessions, clock, log }: PageSurroundings,
  complain: (error: unknown) => void,
): Promise<SessionKeys> {
  if (sessionKeyFile !== undefined) return sessionKeysIn(sessionKeyFile, clock, complain);
  if (sessions === undefined || (tokensFile === undefined && oidc === undefined)) return ownSessionKeys();
  return sharedSessionKeys(await sessions(), clock, log);
}

/** Serves who talks to whom. Reads the audit store beside its writer. */
export async function startPage(options: PageOptions, around: PageSurroundings): Promise<PageServer> {
  const { snapshot, clock, log } = around;
  const listening = await pageListener(options, around.authority, log);
  const { app } = listening;
  const origin = options.url ?? new URL(`${options.tls.kind === 'none' ? 'http' : 'https'}://${formatAddress(options.address)}`);
  const hosts = options.url === undefined ? [] : [options.url.hostname];
  app.addHook('onRequest', async ({ headers: { host } }, reply) =>
    knownHost(host, hosts)
      ? undefined
      : reply.code(421).send({ error: 'this host name is not served here (say it with --page-url)' }),
  );
  const assets = readAssets();
  const complain = (error: unknown): void => log.warn({ err: error }, 'page: somebody could not sign in');
  const sessions = await sessionKeys(options, around, complain);
  const gate = gateOptions(options, origin, clock, complain, () => sessions.current());
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
    ...(around.rollouts === undefined ? {} : { rollouts: pageRollouts(around.rollouts, snapshot) }),
    certificates: certificatesInLogs(async () => [
      around.issuanceLog,
      ...(await copiesIn(dirname(around.issuanceLog))).map(({ files }) => files.records),
    ]),
    clock,
    viewerOf,
    authenticated: gate !== undefined,
    assets,
  });
  addReportPage(app, { store, clock, hosts, viewerOf, snapshot });
  return {
    address: await listenHttp(app, options.address, '--page-address'),
    close: async () => {
      sessions.close();
      listening.close();
      await app.close();
    },
  };
}
