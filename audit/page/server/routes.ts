import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { CertificateList, ProxyList, ProxySummary, Session } from '../api/details.ts';
import type { Series } from '../api/graph.ts';
import { accessOf } from './access.ts';
import { sendError, sendJson } from './answer.ts';
import { type Assets, readAssets } from './assets.ts';
import type { Certificates } from './certificates.ts';
import { documentOf } from './document.ts';
import { edgeDetailsOf } from './edge-details.ts';
import { certificatesNamed } from './called-with.ts';
import { type OwnDomains, visibleTo } from './ends.ts';
import { Events } from './events.ts';
import { workloadNamed } from './explain.ts';
import { graphOf } from './graph.ts';
import { SECURITY_HEADERS } from './headers.ts';
import type { Records } from './observed.ts';
import { kept, rolloutDetailsOf, rolloutListOf, rolloutPreviewOf, type RolloutSource, rolloutsVersion } from './rollouts.ts';
import { type ClosedPeriod, parsePeriod, spanOf } from './period.ts';
import { maySee, type Viewer } from './viewer.ts';
import { workloadDetailsOf } from './workload-details.ts';

export interface PageSources {
  readonly records: Records;
  readonly snapshot: () => Snapshot;
  readonly proxies: () => readonly ProxySummary[];
  readonly certificates: Certificates;
  /** Absent where this control plane runs no rollouts. */
  readonly rollouts?: RolloutSource;
  readonly clock: () => Date;
  /** Who asks; whoever it does not know has been refused before. */
  readonly viewerOf: (request: FastifyRequest) => Viewer;
  /** Viewers have names, and can leave. */
  readonly authenticated: boolean;
  readonly pollMs?: number;
  readonly assets?: Assets;
}

const MOST_STEPS = 240;
const MOST_LISTED = 10_000;
const EDGE_STEPS = 60;
const POLL_MS = 1_000;

type Query = Readonly<Record<string, unknown>>;

function textOf(query: Query, name: string): string {
  const value = query[name];
  return typeof value === 'string' ? value : '';
}

/** What is not to be read now is no secret, and no fault of who asks. */
function unavailable(reply: FastifyReply, error: unknown): FastifyReply {
  const why = error instanceof Error ? error.message : String(error);
  return sendError(reply.header('retry-after', '5'), 503, `the audit store cannot be read: ${why}`);
}

/** The page and its API; see docs/audit/page.md. Who asks has been let in by hooks before. */
export function addPage(app: FastifyInstance, sources: PageSources): void {
  const { records, certificates, clock, viewerOf } = sources;
  const rollouts = sources.rollouts && kept(sources.rollouts);
  const assets = sources.assets ?? readAssets();
  const document = documentOf(assets);
  const own = ({ meshConfig }: Snapshot): OwnDomains => new Set([meshConfig.trustDomain, ...meshConfig.trustDomainAliases]);
  const events = new Events(async () => {
    const proxies = sources.proxies();
    const states = proxies.map(({ state, acknowledged }) => `${state[0] ?? ''}${acknowledged}`).join();
    // Whoever cannot tell of rollouts now keeps nobody from hearing of calls.
    const steps = rolloutsVersion((await rollouts?.statuses().catch(() => [])) ?? []);
    return `${sources.snapshot().number} ${await records.version()} ${proxies.length} ${hashOf(states)} ${hashOf(steps)}`;
  }, sources.pollMs ?? POLL_MS);
  app.addHook('preClose', () => events.close());
  app.addHook('onSend', async (_, reply) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) if (!reply.hasHeader(name)) reply.header(name, value);
  });

  app.get('/', (_, reply) => reply.type('text/html; charset=utf-8').send(document));
  app.get<{ Params: { readonly version: string; readonly '*': string } }>('/assets/:version/*', ({ params }, reply) => {
    const asset = params.version === assets.version ? assets.files.get(params['*']) : undefined;
    if (asset === undefined) return sendError(reply, 404, 'there is no such file (load the page again)');
    reply.header('cache-control', 'private, max-age=31536000, immutable');
    return reply.type(`${asset.type}; charset=utf-8`).send(asset.body);
  });

  const withPeriod =
    (answer: (period: ClosedPeriod, query: Query, viewer: Viewer) => Promise<unknown>) =>
    async (request: FastifyRequest<{ Querystring: Query }>, reply: FastifyReply): Promise<FastifyReply> => {
      const period = parsePeriod(request.query, clock());
      if (!period.ok) return sendError(reply, 400, period.reason);
      let value: unknown;
      try {
        value = await answer(period.value, request.query, viewerOf(request));
      } catch (error) {
        return unavailable(reply, error);
      }
      return value === undefined
        ? sendError(reply, 404, 'there is nothing of that name in this period')
        : sendJson(request, reply, value);
    };
  /** Whole minutes, and few enough. */
  const stepOf = ({ since, until }: ClosedPeriod, steps: number): number =>
    Math.max(1, Math.ceil((until - since) / 60_000 / steps)) * 60_000;

  app.get('/api/session', (request, reply) => {
    const { name, namespaces } = viewerOf(request);
    const session: Session = {
      name,
      namespaces: namespaces === 'all' ? null : [...namespaces].sort(),
      authenticated: sources.authenticated,
      version: assets.version,
      now: clock().toISOString(),
    };
    return reply.header('cache-control', 'no-store').send(session);
  });
  app.get<{ Querystring: Query }>(
    '/api/graph',
    withPeriod(async (period, _, viewer) => {
      const snapshot = sources.snapshot();
      return graphOf(await records.between(period, own(snapshot)), snapshot, viewer, spanOf(period));
    }),
  );
  app.get<{ Querystring: Query }>(
    '/api/series',
    withPeriod(async (period, query, viewer): Promise<Series> => {
      const wanted = Number(textOf(query, 'steps'));
      const stepMs = stepOf(period, Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, MOST_STEPS) : 120);
      const steps = await records.series(period, stepMs, viewer, own(sources.snapshot()));
      return { since: spanOf(period).since, stepMs, steps };
    }),
  );
  app.get<{ Querystring: Query }>(
    '/api/edge',
    withPeriod(async (period, query, viewer) => {
      const snapshot = sources.snapshot();
      const [source, target] = [textOf(query, 'source'), textOf(query, 'target')];
      const { lines: all } = await records.between(period, own(snapshot));
      const seen = all.filter(({ ends }) => ends.source.id === source && ends.target.id === target && visibleTo(viewer, ends));
      if (seen.length === 0) return undefined;
      const lines = await records.detailed(seen, period);
      const stepMs = stepOf(period, EDGE_STEPS);
      return edgeDetailsOf({
        lines,
        snapshot,
        viewer,
        period: spanOf(period),
        series: { since: spanOf(period).since, stepMs, steps: await records.history(lines, period, stepMs) },
        certificates: await certificates.latest(),
        issued: await certificates.named(certificatesNamed(lines)),
      });
    }),
  );
  app.get<{ Querystring: Query }>(
    '/api/workload',
    withPeriod(async (period, query, viewer) => {
      const snapshot = sources.snapshot();
      const workload = workloadNamed(snapshot, textOf(query, 'id').replace(/^workload:/, ''));
      if (workload === undefined || !maySee(viewer, workload.namespace)) return undefined;
      const { lines } = await records.between(period, own(snapshot));
      return workloadDetailsOf(workload, lines, snapshot, sources.proxies(), await certificates.latest());
    }),
  );
  app.get<{ Querystring: Query }>(
    '/api/access',
    withPeriod(async (period, _, viewer) => {
      const snapshot = sources.snapshot();
      const { lines } = await records.between(period, own(snapshot));
      return accessOf(lines, snapshot, viewer, spanOf(period));
    }),
  );
  const aboutRollouts =
    (answer: (viewer: Viewer, namespace: string) => Promise<unknown>) =>
    async (request: FastifyRequest<{ Querystring: Query }>, reply: FastifyReply): Promise<FastifyReply> => {
      let value: unknown;
      try {
        value = await answer(viewerOf(request), textOf(request.query, 'namespace'));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return sendError(reply.header('retry-after', '5'), 503, `rollouts cannot be told now: ${why}`);
      }
      return value === undefined ? sendError(reply, 404, 'there is no rollout of that name') : sendJson(request, reply, value);
    };
  app.get<{ Querystring: Query }>(
    '/api/rollouts',
    aboutRollouts((viewer) => rolloutListOf(rollouts, sources.snapshot(), viewer)),
  );
  app.get<{ Querystring: Query }>(
    '/api/rollout',
    aboutRollouts((viewer, namespace) => rolloutDetailsOf(rollouts, namespace, sources.snapshot(), viewer)),
  );
  app.get<{ Querystring: Query }>(
    '/api/rollout/plan',
    aboutRollouts((viewer, namespace) => rolloutPreviewOf(rollouts, namespace, sources.snapshot(), viewer)),
  );
  app.get('/api/proxies', (request, reply) => {
    const viewer = viewerOf(request);
    const all = sources.proxies().filter(({ namespace }) => maySee(viewer, namespace));
    const list: ProxyList = {
      snapshot: sources.snapshot().number,
      proxies: all.slice(0, MOST_LISTED),
      omitted: Math.max(0, all.length - MOST_LISTED),
    };
    return sendJson(request, reply, list);
  });
  app.get('/api/certificates', async (request, reply) => {
    const viewer = viewerOf(request);
    const { trustDomain } = sources.snapshot().meshConfig;
    const prefix = `spiffe://${trustDomain}/ns/`;
    const latest = await certificates.latest();
    const all = [...(latest?.values() ?? [])].filter(
      ({ identity }) =>
        viewer.namespaces === 'all' ||
        (identity.startsWith(prefix) && maySee(viewer, identity.slice(prefix.length).split('/', 1)[0] ?? '')),
    );
    const list: CertificateList = {
      certificates: all.sort((a, b) => (a.notAfter < b.notAfter ? -1 : 1)).slice(0, MOST_LISTED),
      omitted: Math.max(0, all.length - MOST_LISTED),
      known: latest !== undefined,
    };
    return sendJson(request, reply, list);
  });
  app.get('/api/events', (_, reply) => {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream' });
    if (!events.add(raw)) raw.end('retry: 30000\n\n');
  });
}

function hashOf(text: string): string {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (hash * 31 + text.charCodeAt(at)) | 0;
  return hash.toString(36);
}
