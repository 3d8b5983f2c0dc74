/** What dry runs noted about a call that was let through. */
export interface WouldDeny {
  /** `NAMESPACE/NAME`; undefined: only dry runs of ALLOW policies apply, and none of their rules matches. */
  readonly policy: string | undefined;
  readonly rule: number | undefined;
}

/**
 * Calls alike that arrived at a workload's proxy, as plain values: who keeps records makes them. Calls that never arrived are not among them.
 * Times are ms since the epoch.
 */
export interface ObservedCall {
  /** The caller's SPIFFE ID with its scheme, from its certificate; undefined: it proved none. */
  readonly principal: string | undefined;
  /** Of callers without an identity. */
  readonly address: string | undefined;
  /** The caller's `NAMESPACE/NAME`, where it is known. */
  readonly caller: string | undefined;
  /** `NAMESPACE/NAME` of the workload that was called. */
  readonly destination: string;
  /** The service that was called, a host name. */
  readonly service: string | undefined;
  /** The workload's own port. */
  readonly port: number | undefined;
  readonly protocol: 'HTTP' | 'GRPC' | 'TCP';
  /** Undefined for TCP. */
  readonly method: string | undefined;
  /** A template: `{id}` and `{other}` stand for what differs from call to call. Undefined for TCP. */
  readonly path: string | undefined;
  readonly mtls: boolean;
  readonly decision: 'ALLOW' | 'DENY';
  /** Why it was denied, in words; undefined where it was not. */
  readonly denied: string | undefined;
  /** Who denied it; absent where it was not, or nobody knows. `identity`: a revoked or doubtful one. */
  readonly refusedBy?: 'transport' | 'token' | 'provider' | 'identity' | 'policy';
  readonly wouldDeny: readonly WouldDeny[];
  /** The rule that decided, as the proxy named it; absent where none did, or none was named. */
  readonly by?: { readonly policy: string; readonly rule: number | undefined };
  readonly count: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** On how many days (UTC) there were such calls, where that is known: few days in a long time make a rare caller. */
  readonly days: number | undefined;
}

/** What of a call policies look at. */
export type JudgedCall = Pick<
  ObservedCall,
  'principal' | 'address' | 'destination' | 'service' | 'port' | 'protocol' | 'method' | 'path' | 'mtls'
>;
