/** What the page's API answers; see docs/audit/page.md. Types only: the server and the browser share them. */

/** Numbers of calls. `plain`: arrived without a proven identity at both ends. `errors`: answered with 5xx. */
export interface Counts {
  readonly calls: number;
  readonly denied: number;
  /** Went through, and dry runs of policies would have denied them. */
  readonly wouldBeDenied: number;
  readonly plain: number;
  readonly unreached: number;
  readonly errors: number;
}

/** `outside`: callers without an identity and without a workload that is known. `service`: what was called and never reached. */
export type NodeKind = 'workload' | 'identity' | 'service' | 'outside';

export interface GraphNode {
  /** `KIND:NAME`, such as `workload:shop/users`. */
  readonly id: string;
  readonly kind: NodeKind;
  /** In parentheses where it is none of the mesh: `(outside)`, `(external)`, `(trust domain NAME)`. */
  readonly namespace: string;
  readonly name: string;
  /** It is configured now; what is not, was there when it was called. */
  readonly present: boolean;
}

export interface GraphEdge extends Counts {
  readonly source: string;
  readonly target: string;
  readonly protocols: readonly string[];
  readonly latencyMs: Latency;
  /** ISO 8601. */
  readonly lastSeen: string;
}

export interface Latency {
  readonly mean: number;
  readonly max: number;
  /** Undefined where an earlier version counted, and in graphs, for which they are not read. */
  readonly p50?: number;
  readonly p90?: number;
  readonly p99?: number;
}

/** ISO 8601; from, before. */
export interface Span {
  readonly since: string;
  readonly until: string;
}

export interface Missing {
  /** Log records that are known to be lost. */
  readonly lost: number;
  /** When nothing was recorded. */
  readonly gaps: readonly Span[];
}

export interface Graph {
  readonly period: Span;
  readonly snapshot: number;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly totals: Counts;
  readonly missing: Missing;
  /** Edges beyond the most that are sent; the busiest and the denied are sent. */
  readonly omittedEdges: number;
  readonly omittedNodes: number;
}

/** Calls over time in steps of equal length. */
export interface Series {
  readonly since: string;
  readonly stepMs: number;
  readonly steps: readonly SeriesStep[];
}

export interface SeriesStep {
  readonly calls: number;
  readonly denied: number;
  readonly wouldBeDenied: number;
}
