import { Counter, Gauge, Registry } from 'prom-client';
import type { AgentStatus, WorkloadStatus } from './status.ts';

const LABELS = ['workload', 'identity'] as const;

/** The agent's metrics, read from its status when they are asked for. */
export function agentMetrics(status: () => AgentStatus): Registry {
  const registry = new Registry();
  const each = (name: string, help: string, value: (of: WorkloadStatus) => number | undefined, counter = false): void => {
    const set = (fill: (labels: Record<(typeof LABELS)[number], string>, value: number) => void): void => {
      for (const of of status().workloads) {
        const number = value(of);
        if (number !== undefined) fill({ workload: of.workload, identity: of.identity }, number);
      }
    };
    const base = { name, help, labelNames: LABELS, registers: [registry] };
    if (counter) {
      const made: Counter<(typeof LABELS)[number]> = new Counter({
        ...base,
        collect: () => {
          made.reset();
          set((labels, number) => made.inc(labels, number));
        },
      });
      return;
    }
    const made: Gauge<(typeof LABELS)[number]> = new Gauge({
      ...base,
      collect: () => {
        made.reset();
        set((labels, number) => made.set(labels, number));
      },
    });
  };
  const workloads: Gauge = new Gauge({
    name: 'gatehouse_agent_workloads',
    help: 'workloads that this agent serves',
    registers: [registry],
    collect: () => workloads.set(status().workloads.length),
  });
  const roots: Gauge<'sha256'> = new Gauge({
    name: 'gatehouse_agent_root_expiry_timestamp_seconds',
    help: 'when each root of the trust bundle ends',
    labelNames: ['sha256'],
    registers: [registry],
    collect: () => {
      roots.reset();
      for (const { sha256, notAfter } of status().roots) roots.set({ sha256 }, seconds(notAfter));
    },
  });
  each('gatehouse_agent_certificate_expiry_timestamp_seconds', 'when the certificate in use ends', ({ certificate }) =>
    certificate === null ? undefined : seconds(certificate.notAfter),
  );
  each('gatehouse_agent_certificate_next_attempt_timestamp_seconds', 'when the next renewal is tried', ({ nextAttempt }) =>
    nextAttempt === null ? undefined : seconds(nextAttempt),
  );
  each('gatehouse_agent_certificates_total', 'certificates received', ({ issued }) => issued, true);
  each('gatehouse_agent_failures_total', 'attempts to get a certificate that failed', ({ failed }) => failed, true);
  each('gatehouse_agent_failures_in_a_row', 'failed attempts since the last certificate', ({ failuresInARow }) => failuresInARow);
  each(
    'gatehouse_agent_access_log_waiting_bytes',
    "what of the Envoy's access log waits for the control plane",
    ({ accessLog }) => accessLog.bytes,
  );
  each(
    'gatehouse_agent_access_log_lost_records_total',
    'records that there was no room for while the control plane was away',
    ({ accessLog }) => accessLog.lost,
    true,
  );
  return registry;
}

function seconds(iso: string): number {
  return Date.parse(iso) / 1000;
}
