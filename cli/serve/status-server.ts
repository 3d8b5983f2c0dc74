import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';

export interface StatusSources {
  readonly snapshot: () => Snapshot;
  readonly streams: () => readonly StreamStatus[];
  readonly metrics: Registry;
}

/** Health, Prometheus metrics and, as istiod names it, /debug/syncz: which proxy has acknowledged what. No secrets. */
export function statusServer({ snapshot, streams, metrics }: StatusSources): FastifyInstance {
  const app = fastify({ logger: false, bodyLimit: 1024 });
  app.get('/healthz', () => ({ status: 'ok', snapshot: snapshot().number }));
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
  app.get('/debug/syncz', () => {
    const current = snapshot();
    return {
      pid: process.pid,
      snapshot: current.number,
      namespaces: current.namespaces.map((namespace) => namespace.name),
      proxies: streams().map(({ node, identity, variant, connectedAt, acknowledged, rejected }) => ({
        node,
        // Null where it came in plain text, and proved none.
        identity: identity ?? null,
        variant,
        connectedAt,
        acknowledged,
        rejected,
      })),
    };
  });
  return app;
}
