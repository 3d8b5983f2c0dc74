import { pipeline, Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { SnapshotResources } from '../../xds/resources/source.ts';
import { type DiscoveryService, type StreamStatus } from '../../xds/stream/service.ts';
import { appliedObjects } from './applied.ts';
import type { Capture } from './capture.ts';
import { captureRoutes } from './capture-routes.ts';
import { loopbackOnly } from './loopback-only.ts';
import { configuredResource, typesNamed } from './proxy-config.ts';
import { type ProxyReport, proxyReport } from './proxy-report.ts';
import { scopeReport, scopeSize } from './scope-report.ts';
import type { PublishedSnapshots } from './published-snapshots.ts';

export interface StatusSources {
  readonly snapshot: () => Snapshot;
  readonly streams: () => readonly StreamStatus[];
  readonly holdings: DiscoveryService['holdings'];
  readonly explainScope: SnapshotResources['explainScope'];
  readonly published: PublishedSnapshots;
  readonly metrics: Registry;
  /** Those of calls, in the same format, in pieces. */
  readonly callMetrics: () => Iterable<string>;
  /** Undefined: nobody may take profiles. */
  readonly capture: Capture | undefined;
}

/** The loop turns between two pieces: with many series all of them take longer than others should wait. */
async function* scraped(metrics: Registry, callMetrics: () => Iterable<string>): AsyncGenerator<string> {
  yield await metrics.metrics();
  for (const piece of callMetrics()) {
    yield piece;
    await setImmediate();
  }
}

interface ConfigQuery {
  readonly namespace?: string;
  readonly pod?: string;
  readonly types?: string;
  readonly name?: string;
}

/** Health, Prometheus metrics and, as istiod names it, /debug/syncz: which proxy has acknowledged what. No secrets. */
export function statusServer({
  snapshot,
  streams,
  holdings,
  explainScope,
  published,
  metrics,
  callMetrics,
  capture,
}: StatusSources): FastifyInstance {
  const app = fastify({ logger: false, bodyLimit: 1024 });
  const reports = (changedSince: ReturnType<PublishedSnapshots['comparisons']>): readonly ProxyReport[] => {
    const current = snapshot();
    return streams().map((status) => proxyReport(status, current, changedSince, scopeSize(explainScope, status)));
  };
  app.get('/healthz', () => ({ status: 'ok', snapshot: snapshot().number }));
  // It listens only once everything else does.
  app.get('/readyz', () => ({ status: 'ok' }));
  app.get('/metrics', ({ headers }, reply) => {
    const text = Readable.from(scraped(metrics, callMetrics));
    reply.type(metrics.contentType);
    if (!/\bgzip\b/.test(headers['accept-encoding'] ?? '')) return reply.send(text);
    // Labels repeat: a thirtieth is left, made in a thread of its own. Whoever goes away in the middle ends both.
    const packed = createGzip({ level: 1 });
    pipeline(text, packed, () => undefined);
    return reply.header('content-encoding', 'gzip').send(packed);
  });
  app.get('/debug/syncz', () => {
    const current = snapshot();
    return {
      pid: process.pid,
      snapshot: current.number,
      publishedAt: published.publishedAt.toISOString(),
      namespaces: current.namespaces.map((namespace) => namespace.name),
      proxies: reports(published.comparisons()),
    };
  });
  app.get<{ Querystring: { readonly all?: string } }>('/debug/objects', { onRequest: loopbackOnly }, ({ query }) => {
    const changedSince = published.comparisons();
    const current = snapshot().number;
    const objects = appliedObjects(reports(changedSince), current, published.objects(), changedSince, query.all !== undefined);
    return { snapshot: current, publishedAt: published.publishedAt.toISOString(), objects };
  });
  app.get<{ Querystring: ConfigQuery }>('/debug/config', { onRequest: loopbackOnly }, ({ query }, reply) => {
    const { namespace = '', pod = '', name } = query;
    const types = typesNamed((query.types ?? '').split(','));
    if (types === undefined)
      return reply.code(400).send({ error: 'types must be a list of CDS, EDS, ECDS, LDS, RDS, VHDS, SDS' });
    const held = holdings(namespace, pod, types);
    if (held === undefined) {
      const connected = streams().map(({ node }) => (node.split('~')[2] ?? '').replace(/^(.*)\.([^.]*)$/, '$2/$1'));
      const there = connected.length === 0 ? 'no proxy is connected' : `connected are ${connected.slice(0, 20).join(', ')}`;
      return reply.code(404).send({ error: `no proxy of pod ${namespace}/${pod} is connected (${there})` });
    }
    const wanted = name === undefined ? held : held.filter(({ resource }) => resource.name.includes(name));
    return reply.send({ snapshot: snapshot().number, resources: wanted.map(configuredResource) });
  });
  app.get<{ Querystring: ConfigQuery }>('/debug/scope', { onRequest: loopbackOnly }, ({ query }, reply) => {
    const { namespace = '', pod = '' } = query;
    const found = explainScope({ kind: 'sidecar', namespace, pod });
    if (found !== undefined) return reply.send(scopeReport(found));
    const error = `pod ${namespace}/${pod} has no connected proxy with an automatic scope: it is told of all services, or its Sidecar says of which`;
    return reply.code(404).send({ error });
  });
  captureRoutes(app, capture);
  return app;
}
