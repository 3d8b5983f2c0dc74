import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { StreamStatus } from '../../xds/stream/service.ts';
import { SHORT_NAMES } from '../../xds/stream/short-names.ts';
import type { DiscoveryObserver } from '../../xds/stream/traffic.ts';

/** From a change that one proxy takes in a turn of the event loop to one that waits for a proxy that is stuck. */
const CONVERGENCE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface DiscoverySources {
  readonly streams: () => readonly StreamStatus[];
  readonly snapshot: () => { readonly number: number };
  /** When the snapshot that is current was published. */
  readonly publishedAt: () => Date;
}

/**
 * Metrics of xDS. Labels are type and protocol only, fourteen pairs at most: what concerns one proxy or one resource is for `proxy status`.
 */
export function discoveryMetrics(registry: Registry): {
  readonly observer: DiscoveryObserver;
  readonly follow: (sources: DiscoverySources) => void;
} {
  const counter = (name: string, help: string): Counter<'type' | 'variant'> =>
    new Counter({ name, help, labelNames: ['type', 'variant'], registers: [registry] });
  const pushes = counter('gatehouse_xds_pushes_total', 'responses sent to proxies');
  const bytes = counter('gatehouse_xds_sent_bytes_total', 'bytes of the responses sent, without framing and TLS');
  const resources = counter('gatehouse_xds_sent_resources_total', 'resources in the responses sent');
  const acks = counter('gatehouse_xds_acks_total', 'responses that proxies accepted');
  const nacks = counter('gatehouse_xds_nacks_total', 'responses that proxies refused');
  const convergence = new Histogram({
    name: 'gatehouse_xds_convergence_seconds',
    help: 'from the publication of a change until a proxy that it concerns has answered all of it',
    buckets: CONVERGENCE_SECONDS,
    registers: [registry],
  });
  return {
    observer: {
      sent(type, variant, count, size) {
        const labels = { type: SHORT_NAMES[type], variant };
        pushes.inc(labels);
        bytes.inc(labels, size);
        resources.inc(labels, count);
      },
      answered: (type, variant, accepted) => (accepted ? acks : nacks).inc({ type: SHORT_NAMES[type], variant }),
      converged: (ms) => convergence.observe(ms / 1000),
    },
    follow: (sources) => follow(registry, sources),
  };
}

/** What is read when it is asked for. */
function follow(registry: Registry, sources: DiscoverySources): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    const made: Gauge = new Gauge({ name, help, registers: [registry], collect: () => made.set(read()) });
  };
  const streams = onceEachTurn(sources.streams);
  const { snapshot, publishedAt } = sources;
  gauge('gatehouse_snapshot_number', 'number of the current snapshot', () => snapshot().number);
  gauge('gatehouse_snapshot_timestamp_seconds', 'when the current snapshot was published', () => publishedAt().getTime() / 1000);
  gauge('gatehouse_xds_streams', 'connected xDS streams', () => streams().length);
  gauge(
    'gatehouse_xds_streams_behind',
    'xDS streams that have not acknowledged the current snapshot',
    () => streams().filter(({ acknowledged }) => acknowledged < snapshot().number).length,
  );
  gauge('gatehouse_xds_waiting_seconds', 'how long the proxy that is behind longest has been', () => {
    const since = streams().flatMap(({ waitingSince }) => (waitingSince === undefined ? [] : [waitingSince.getTime()]));
    return since.length === 0 ? 0 : Math.max(0, Date.now() - since.reduce((one, other) => Math.min(one, other))) / 1000;
  });
  gauge('gatehouse_xds_outstanding_responses', 'responses that proxies have neither accepted nor refused yet', () =>
    streams().reduce((sum, { subscriptions }) => sum + subscriptions.reduce((of, { outstanding }) => of + outstanding, 0), 0),
  );
  gauge('gatehouse_xds_rejected', 'resources that proxies rejected and still reject', () =>
    streams().reduce((sum, { rejected }) => sum + rejected.length, 0),
  );
}

/** Several gauges are read in one go; a thousand streams need not be asked for each. */
function onceEachTurn<Value>(read: () => Value): () => Value {
  let known: { readonly value: Value } | undefined;
  return () => {
    if (known === undefined) {
      known = { value: read() };
      setImmediate(() => (known = undefined));
    }
    return known.value;
  };
}
