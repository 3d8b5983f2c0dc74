/** What is alerted on. A rule that is not there alerts on nothing. */
export interface AlertRules {
  readonly newEdge: NewEdgeRule | undefined;
  readonly plainText: PlainTextRule | undefined;
  readonly denialSpike: DenialSpikeRule | undefined;
  /** Whether automatic rollbacks of rollouts are told; absent: they are not. */
  readonly rollback?: boolean;
}

export interface NewEdgeRule {
  /** Of what is called; undefined: all. */
  readonly namespaces: readonly string[] | undefined;
  /** What is seen for as long after the very first start is taken for known. */
  readonly learnMs: number;
}

export interface PlainTextRule {
  /** To be strict, beside those that a label or a PeerAuthentication says so of. */
  readonly namespaces: readonly string[];
  /** The same caller and workload are told again only after as long. */
  readonly againMs: number;
}

export interface DenialSpikeRule {
  readonly windowMs: number;
  /** As many times as is usual for the workload. */
  readonly factor: number;
  /** Fewer are no spike. */
  readonly least: number;
  readonly againMs: number;
}
