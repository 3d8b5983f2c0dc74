import type { ProxySummary } from '../../audit/page/api/details.ts';
import type { ProxyReport } from './proxy-report.ts';

function stateOf({ known, rejected, acknowledged }: ProxyReport, snapshot: number): ProxySummary['state'] {
  if (!known) return 'unknown';
  if (rejected.length > 0) return 'rejected';
  return acknowledged < snapshot ? 'waiting' : 'synced';
}

/** A connected proxy as the page shows it: the same as `gatehouse proxy status`. */
export function proxySummary(report: ProxyReport, snapshot: number): ProxySummary {
  const { pod, node, identity, variant, connectedAt, acknowledged, accepted, waitingSince, rejected } = report;
  return {
    pod,
    namespace: pod.slice(pod.lastIndexOf('.') + 1),
    node,
    identity,
    variant,
    connectedAt,
    state: stateOf(report, snapshot),
    acknowledged,
    accepted,
    waitingSince,
    rejected: rejected.map(({ type, name, message, causes }) => ({
      type,
      name: name ?? '',
      message,
      causes: causes.map(({ object, file, line }) => `${object} (${file}:${line})`),
    })),
  };
}
