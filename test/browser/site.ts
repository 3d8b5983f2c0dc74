import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Edge } from '../../audit/model/edge.ts';
import type { CertificateSummary, ProxySummary } from '../../audit/page/api/details.ts';
import type { RolloutSource } from '../../audit/page/server/rollouts.ts';
import { addPage } from '../../audit/page/server/routes.ts';
import { certificateKey } from '../../audit/page/server/certificates.ts';
import { storeRecords } from '../../audit/page/server/store-records.ts';
import { LOCAL_VIEWER, type Viewer } from '../../audit/page/server/viewer.ts';
import { openSqliteStore } from '../../audit/store/sqlite.ts';
import { sqliteFileReader } from '../../audit/store/sqlite-read.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { SYNCED_AT } from './sample-calls.ts';

export interface Site {
  readonly url: string;
  snapshot: Snapshot;
  add(edges: readonly Edge[]): Promise<void>;
  close(): Promise<void>;
}

export interface SiteOptions {
  readonly edges: readonly Edge[];
  readonly snapshot: Snapshot;
  /** Puts itself before the page, and tells who asks. */
  readonly gate?: (app: FastifyInstance) => (request: FastifyRequest) => Viewer;
  readonly port?: number;
  readonly rollouts?: RolloutSource;
}

export function proxiesOf(snapshot: Snapshot): readonly ProxySummary[] {
  return snapshot.workloads.flatMap(({ namespace, serviceAccount, instances }) =>
    instances.map(({ name }) => ({
      pod: `${name}.${namespace}`,
      namespace,
      node: `sidecar~10.0.0.1~${name}.${namespace}~x`,
      identity: `spiffe://${snapshot.meshConfig.trustDomain}/ns/${namespace}/sa/${serviceAccount}`,
      variant: 'delta',
      connectedAt: SYNCED_AT,
      state: 'synced',
      acknowledged: snapshot.number,
      accepted: snapshot.number,
      waitingSince: null,
      rejected: [],
    })),
  );
}

export function certificatesOf(snapshot: Snapshot, now: number): ReadonlyMap<string, CertificateSummary> {
  const hour = 3_600_000;
  return new Map(
    snapshot.workloads.map(({ namespace, serviceAccount, name }, at) => {
      const identity = `spiffe://${snapshot.meshConfig.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
      const issued = now - (at % 23) * hour - 600_000;
      return [
        identity,
        {
          identity,
          serial: (0x5f3a91c2d7e4n * BigInt(at + 11)).toString(16).padStart(32, '7'),
          issuedAt: new Date(issued).toISOString(),
          notBefore: new Date(issued).toISOString(),
          notAfter: new Date(issued + 24 * hour).toISOString(),
          key: 'ECDSA P-256',
          evidence: `token: system:serviceaccount:${namespace}:${serviceAccount} (${name})`,
        },
      ];
    }),
  );
}

/** The page over made-up calls in a store of its own, without a mesh. More calls may come while it runs. */
export async function startSite(options: SiteOptions): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-page-'));
  const file = join(folder, 'audit.db');
  const clock = (): Date => new Date();
  const store = await openSqliteStore({ file, clock });
  await store.append({ edges: options.edges, losses: [] });
  const app = fastify({ logger: false, forceCloseConnections: true });
  const content = { snapshot: options.snapshot };
  const viewerOf = options.gate?.(app) ?? (() => LOCAL_VIEWER);
  addPage(app, {
    records: storeRecords(sqliteFileReader(file), clock),
    snapshot: () => content.snapshot,
    proxies: () => proxiesOf(content.snapshot),
    certificates: {
      latest: () => Promise.resolve(certificatesOf(content.snapshot, Date.now())),
      named(names) {
        const latest = certificatesOf(content.snapshot, Date.now());
        return Promise.resolve(
          new Map(
            names.flatMap((name) => {
              const known = latest.get(name.identity);
              return known?.serial === name.serial ? [[certificateKey(name), known] as const] : [];
            }),
          ),
        );
      },
    },
    ...(options.rollouts === undefined ? {} : { rollouts: options.rollouts }),
    clock,
    viewerOf,
    authenticated: options.gate !== undefined,
    pollMs: 200,
  });
  await app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  const at = app.server.address();
  assert.ok(at !== null && typeof at === 'object');
  return Object.assign(content, {
    url: `http://127.0.0.1:${at.port}/`,
    add: (edges: readonly Edge[]) => store.append({ edges, losses: [] }),
    async close() {
      await app.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
