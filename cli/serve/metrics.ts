import { collectDefaultMetrics, Counter, Gauge, type Registry } from 'prom-client';
import type { RecorderStats } from '../../audit/intake/recorder.ts';
import type { CallMetricsStats } from '../../audit/metrics/call-metrics.ts';
import type { Shipping } from '../../ca/log/gather/shipping.ts';
import type { UpstreamState } from '../../ca/upstream/keeper.ts';
import type { RotationStatus } from '../../ca/rotation/rotation.ts';
import type { PeerStatus } from '../../ca/federation/following.ts';
import { federationMetrics } from './federation-metrics.ts';
import type { KeysStatus } from '../../policy/jwks/keeper.ts';
import { tokenKeyMetrics } from './jwks/metrics.ts';

const PHASES = Object.freeze(['steady', 'prepared', 'active', 'retiring'] as const);

export interface MetricSources {
  readonly recorder: () => RecorderStats;
  readonly calls: () => CallMetricsStats;
  readonly serverCertificateNotAfter: () => Date;
  readonly upstream: () => UpstreamState | undefined;
  readonly rotation: () => RotationStatus;
  readonly bundleBehind: () => number;
  readonly federation: () => readonly PeerStatus[];
  readonly tokenKeys: () => readonly KeysStatus[];
  /** Where replicas keep each other's issuance logs. */
  readonly shipping: Pick<Shipping, 'followers' | 'alone'> | undefined;
}

/** Adds the control plane's own metrics; each is read from its owner when it is asked for. Those of xDS are in discovery-metrics. */
export function controlPlaneMetrics(registry: Registry, sources: MetricSources): void {
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, read: () => number): void => {
    const made: Gauge = new Gauge({ name, help, registers: [registry], collect: () => made.set(read()) });
  };
  federationMetrics(registry, sources.federation);
  tokenKeyMetrics(registry, sources.tokenKeys);
  gauge(
    'gatehouse_server_certificate_expiry_timestamp_seconds',
    "when the control plane's own certificate ends",
    () => sources.serverCertificateNotAfter().getTime() / 1000,
  );
  gauge(
    'gatehouse_trust_bundle_streams_behind',
    'connected streams that have not accepted the current trust bundle',
    sources.bundleBehind,
  );
  const roots: Gauge<'generation' | 'role' | 'signs'> = new Gauge({
    name: 'gatehouse_root_certificate_expiry_timestamp_seconds',
    help: 'when a root, or what is above the certificates it issues, ends',
    labelNames: ['generation', 'role', 'signs'],
    registers: [registry],
    collect: () => {
      roots.reset();
      for (const { generation, role, signs, notAfter } of sources.rotation().roots)
        roots.set({ generation: String(generation), role, signs: String(signs) }, Date.parse(notAfter) / 1000);
    },
  });
  const phase: Gauge<'phase'> = new Gauge({
    name: 'gatehouse_root_rotation_phase',
    help: '1 for the phase that root rotation is in',
    labelNames: ['phase'],
    registers: [registry],
    collect: () => {
      const now = sources.rotation().phase;
      for (const one of PHASES) phase.set({ phase: one }, one === now ? 1 : 0);
    },
  });
  if (sources.upstream() !== undefined) {
    gauge(
      'gatehouse_upstream_failed_renewals',
      'failed renewals of the intermediate since the last that worked',
      () => sources.upstream()?.failures ?? 0,
    );
    gauge(
      'gatehouse_intermediate_expiry_timestamp_seconds',
      'when the intermediate signed by the upstream ends',
      () => (sources.upstream()?.notAfter.getTime() ?? 0) / 1000,
    );
  }
  const counter = (name: string, help: string, read: () => number): void => {
    const made: Counter = new Counter({
      name,
      help,
      registers: [registry],
      collect: () => {
        made.reset();
        made.inc(read());
      },
    });
  };
  if (sources.shipping !== undefined) {
    const { shipping } = sources;
    gauge('gatehouse_issuance_log_followers', "replicas that follow this one's issuance log", () => shipping.followers);
    counter('gatehouse_issuance_log_alone_total', 'records that went out while they were on one disk only', () => shipping.alone);
  }
  counter('gatehouse_audit_records_total', 'access-log records received', () => sources.recorder().received);
  counter('gatehouse_audit_written_total', 'access-log records in the store', () => sources.recorder().written);
  counter('gatehouse_audit_lost_total', 'access-log records lost', () =>
    Object.values(sources.recorder().lost).reduce((sum, count) => sum + count, 0),
  );
  gauge('gatehouse_call_metrics_series', 'sets of labels that istio_* metrics have now', () => sources.calls().series);
  counter(
    'gatehouse_call_metrics_overflowed_total',
    'records that istio_* metrics count without their labels',
    () => sources.calls().overflowed,
  );
  counter(
    'gatehouse_call_metrics_forgotten_total',
    'sets of labels that istio_* metrics no longer have',
    () => sources.calls().forgotten,
  );
}
