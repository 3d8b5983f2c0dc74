import type { Counts, Latency, Series, Span } from './graph.ts';

/** Calls alike on an edge: one method, path, port, verdict. */
export interface CallLine {
  readonly service: string;
  readonly port: number;
  readonly protocol: string;
  readonly method: string;
  readonly path: string;
  readonly mtls: boolean;
  readonly verdict: string;
  readonly denied: boolean;
  /** In words, with what policies noted beside it. */
  readonly reason: string;
  readonly count: number;
  /** By class: index 0 without a status, 1 to 5 for 1xx to 5xx. */
  readonly statuses: readonly number[];
  readonly latencyMs: Latency;
  readonly lastSeen: string;
  /** What policies say of it now; absent where that cannot be told or is not for this reader. */
  readonly now?: NowDecision;
}

/** What the current policies decide about such a call: an independent reading of them, not the proxy's. */
export interface NowDecision {
  readonly decision: 'ALLOW' | 'DENY';
  readonly reason: string;
  /** The request that was asked about, where a template stands for many. */
  readonly example: string;
  readonly mtls: { readonly mode: string; readonly setBy: string | null };
  readonly policies: readonly PolicySay[];
}

export interface PolicySay {
  readonly policy: string;
  readonly action: string;
  readonly dryRun: boolean;
  readonly decided: boolean;
  readonly rules: readonly { readonly rule: number; readonly matched: 'yes' | 'no' | 'unknown'; readonly why: string | null }[];
}

export interface EdgeDetails {
  readonly source: End;
  readonly target: End;
  readonly period: Span;
  readonly counts: Counts;
  readonly latencyMs: Latency;
  readonly statuses: readonly number[];
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly firstSeen: string | null;
  readonly lastSeen: string | null;
  readonly series: Series;
  /** Null where it is not for this reader. */
  readonly calledWith: CalledWith | null;
  readonly lines: readonly CallLine[];
  readonly omittedLines: number;
}

export interface End {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly identities: readonly string[];
  /** Of callers without an identity. */
  readonly addresses: readonly string[];
  /** Null where they are not for this reader. */
  readonly certificates: readonly CertificateSummary[] | null;
}

/** The certificates that the proxies at the other end named, latest first. */
export interface CalledWith {
  readonly certificates: readonly NamedCertificate[];
  /** Further ones. */
  readonly omitted: number;
  /** Calls with a certificate that no proxy named. */
  readonly unnamed: number;
  /** An hour (a day) that the period cuts was counted whole, so that these are more calls than the edge has in the period. */
  readonly wholeHours: boolean;
}

export interface NamedCertificate {
  readonly identity: string;
  /** Lower-case hexadecimal without zeros before it. */
  readonly serial: string;
  readonly calls: number;
  readonly firstSeen: string;
  readonly lastSeen: string;
  /** Null: not among the certificates that are known of this identity: another authority's, or older than what is looked through. */
  readonly issued: CertificateSummary | null;
}

/** From the issuance log. */
export interface CertificateSummary {
  readonly identity: string;
  readonly serial: string;
  readonly issuedAt: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly key: string;
  /** On what evidence it was issued. */
  readonly evidence: string;
}

export interface WorkloadDetails {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly identity: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly image: string | null;
  readonly instances: readonly {
    readonly name: string;
    readonly address: string;
    readonly ready: boolean;
    readonly meshed: boolean;
  }[];
  readonly mtls: { readonly mode: string; readonly setBy: string | null };
  readonly policies: readonly { readonly policy: string; readonly action: string; readonly dryRun: boolean }[];
  readonly proxies: readonly ProxySummary[];
  readonly certificates: readonly CertificateSummary[];
  readonly callers: readonly CallerAccess[];
}

/** Who may call, and who did. `open`: everybody whom nothing denies, since no ALLOW policy applies. */
export interface CallerAccess {
  /** SPIFFE ID, or a phrase for those that are not named. */
  readonly caller: string;
  readonly may: 'yes' | 'no' | 'open';
  readonly calls: number;
  readonly denied: number;
}

export interface ProxySummary {
  readonly pod: string;
  readonly namespace: string;
  readonly node: string;
  readonly identity: string | null;
  readonly variant: string;
  readonly connectedAt: string;
  readonly state: 'synced' | 'waiting' | 'rejected' | 'unknown';
  readonly acknowledged: number;
  readonly accepted: number;
  readonly waitingSince: string | null;
  readonly rejected: readonly {
    readonly type: string;
    readonly name: string;
    readonly message: string;
    readonly causes: readonly string[];
  }[];
}

export interface ProxyList {
  readonly snapshot: number;
  readonly proxies: readonly ProxySummary[];
  readonly omitted: number;
}

export interface CertificateList {
  /** The latest of each identity. */
  readonly certificates: readonly CertificateSummary[];
  readonly omitted: number;
  /** False where there is no issuance log to read. */
  readonly known: boolean;
}

/** The policy overlay: what may be called against what was. */
export interface Access {
  readonly period: Span;
  readonly snapshot: number;
  /** Named by an ALLOW rule for this caller, and not called in the period. */
  readonly unused: readonly AccessEdge[];
  /** Called and let through in the period, and denied by what policies say now. */
  readonly notGranted: readonly NotGranted[];
  /** Workloads to which no ALLOW policy applies: whatever is not denied may call them. */
  readonly open: readonly string[];
  readonly omitted: number;
}

export interface AccessEdge {
  readonly source: string;
  readonly target: string;
}

export interface NotGranted extends AccessEdge {
  readonly calls: number;
  readonly reason: string;
}

export interface Session {
  readonly name: string;
  /** Null: all of them. */
  readonly namespaces: readonly string[] | null;
  /** There is somebody to log out. */
  readonly authenticated: boolean;
  readonly version: string;
  readonly now: string;
}
