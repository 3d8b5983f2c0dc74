import type { Reason } from '../../xds/scope/rule.ts';
import type { ExplainedScope, SnapshotResources } from '../../xds/resources/source.ts';
import type { StreamStatus } from '../../xds/stream/service.ts';
import type { ScopeSize } from './proxy-report.ts';

type Times = { readonly firstSeen: string; readonly lastSeen: string };

/** A {@link Reason} with its times in ISO 8601. */
export type ReasonReport =
  | ({ readonly kind: 'called' } & Times)
  | { readonly kind: 'asked'; readonly at: string }
  | Exclude<Reason, { readonly kind: 'called' | 'asked' }>;

/** What `/debug/scope` tells of a proxy with an automatic scope. */
export interface ScopeReport {
  /** How many services it could call. */
  readonly of: number;
  readonly services: readonly { readonly service: string; readonly reasons: readonly ReasonReport[] }[];
}

const iso = (ms: number): string => new Date(ms).toISOString();

function reported(reason: Reason): ReasonReport {
  switch (reason.kind) {
    case 'called':
      return { kind: 'called', firstSeen: iso(reason.firstSeen), lastSeen: iso(reason.lastSeen) };
    case 'asked':
      return { kind: 'asked', at: iso(reason.at) };
    case 'routed':
    case 'mirrored':
    case 'provider':
    case 'held':
      return reason;
    default:
      return reason satisfies never;
  }
}

/** Of a connected sidecar with an automatic scope; undefined for others. */
export function scopeSize(
  explain: SnapshotResources['explainScope'],
  { node, variant }: Pick<StreamStatus, 'node' | 'variant'>,
): ScopeSize | undefined {
  if (variant !== 'delta') return undefined;
  const [kind, , pod = ''] = node.split('~');
  const dot = pod.lastIndexOf('.');
  if (kind !== 'sidecar' || dot < 0) return undefined;
  const found = explain({ kind, namespace: pod.slice(dot + 1), pod: pod.slice(0, dot) });
  return found && { services: found.reasons.size, of: found.of };
}

export function scopeReport({ reasons, of }: ExplainedScope): ScopeReport {
  return {
    of,
    services: [...reasons]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([service, all]) => ({ service, reasons: all.map(reported) })),
  };
}
