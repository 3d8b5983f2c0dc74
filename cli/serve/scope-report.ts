import type { Reason } from '../../xds/scope/rule.ts';
import type { ExplainedScope } from '../../xds/resources/source.ts';

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

export function scopeReport({ reasons, of }: ExplainedScope): ScopeReport {
  return {
    of,
    services: [...reasons]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([service, all]) => ({ service, reasons: all.map(reported) })),
  };
}
