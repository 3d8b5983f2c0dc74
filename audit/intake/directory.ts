import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';

export interface ServicePortRef {
  /** Fully qualified host name. */
  readonly host: string;
  readonly port: number;
}

/** What intake asks configuration about. Answers come from the current snapshot; workloads are `NAMESPACE/NAME`. */
export interface Directory {
  /** The workload that a proxy with this node id stands beside. */
  workloadOf(nodeId: string): string | undefined;
  /** The identity that a workload has by configuration. */
  principalOf(workload: string): SpiffeId | undefined;
  /** The one workload that has this identity; undefined when none or several have it. */
  workloadOfPrincipal(principal: SpiffeId): string | undefined;
  workloadByAddress(ip: string): { readonly workload: string; readonly meshed: boolean } | undefined;
  /**
   * The service that brings traffic to the workload's own port `port` of this proxy. Where several do, the one that the
   * Host header means, if it is one of them; the header alone proves nothing.
   */
  serviceOf(nodeId: string, port: number, authority: string): ServicePortRef | undefined;
  /** The service that a request of this proxy with this Host header means. */
  serviceOfAuthority(nodeId: string, authority: string): ServicePortRef | undefined;
  /** The enforced ALLOW policies that apply to a workload, as `NAMESPACE/NAME`. */
  allowPoliciesOf(workload: string): readonly string[];
  /** How the subject of a verified token is written down; empty: not at all. Absent: nobody's is. */
  readonly subjectOf?: (issuer: string, subject: string) => string;
}
