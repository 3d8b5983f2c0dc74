import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { RecorderStats } from '../../audit/intake/recorder.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';

export interface MetricSources {
  readonly snapshot: () => Snapshot;
  readonly streams: () => readonly StreamStatus[];
  readonly recorder: () => RecorderStats;
  readonly serverCertificateNotAfter: () => Date;
}

/** The control plane's own metrics; each is read from its owner when it is asked for. */
export function controlPlaneMetrics(sources: MetricSources): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, read: () => number): void => {
    const made: Gauge = new Gauge({ name, help, registers: [registry], collect: () => made.set(read()) });
  };
  gauge('gatehouse_snapshot_number', 'number of the current snapshot', () => sources.snapshot().number);
  gauge('gatehouse_xds_streams', 'connected xDS streams', () => sources.streams().length);
  gauge(
    'gatehouse_xds_streams_behind',
    'xDS streams that have not acknowledged the current snapshot',
    () => sources.streams().filter(({ acknowledged }) => acknowledged < sources.snapshot().number).length,
  );
  gauge('gatehouse_xds_rejected', 'resources that proxies rejected and still reject', () =>
    sources.streams().reduce((sum, { rejected }) => sum + rejected.length, 0),
  );
  gauge(
    'gatehouse_server_certificate_expiry_timestamp_seconds',
    "when the control plane's own certificate ends",
    () => sources.serverCertificateNotAfter().getTime() / 1000,
  );
  const counter = (name: string, help: string, read: (stats: RecorderStats) => number): void => {
    const made: Counter = new Counter({
      name,
      help,
      registers: [registry],
      collect: () => {
        made.reset();
        made.inc(read(sources.recorder()));
      },
    });
  };
  counter('gatehouse_audit_records_total', 'access-log records received', ({ received }) => received);
  counter('gatehouse_audit_written_total', 'access-log records in the store', ({ written }) => written);
  counter('gatehouse_audit_lost_total', 'access-log records lost', ({ lost }) =>
    Object.values(lost).reduce((sum, count) => sum + count, 0),
  );
  return registry;
}
