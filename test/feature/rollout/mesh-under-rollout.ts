// A mesh while a namespace of it is rolled out, wherever its objects are: files of a folder, or a cluster.
import type { Outcome, Reply, ReportedEdge } from '../running-mesh.ts';

/** The fields of a request that matter; a path with dots is sent as it is written. */
export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** As those who use a mesh see it, and those who broke into a pod of it. Workloads are `NAMESPACE/NAME`. */
export interface MeshInUse {
  /** `HOST:PORT` of the ingress gateway. */
  readonly gateway: string;
  /** `HOST:PORT` of the authority, and the file of its root. */
  readonly authority: { readonly grpc: string; readonly rootCert: string };
  /** Of a workload's pod, for the authority. */
  token(workload: string): Promise<string>;
  /** The address of a workload's pod. */
  address(workload: string): string;
  /** One request of a workload's application, through its sidecar and so with its identity. Rejects when there is no answer. */
  ask(workload: string, url: string, asked?: Asked): Promise<Reply>;
  /** The address from which pods see this process, which has no identity. */
  readonly plainTextFrom: string;
}

/** As its operators see it. */
export interface MeshUnderRollout extends MeshInUse {
  /** Puts an object there under a name of its own; its proxies need not have it yet. */
  put(name: string, text: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Waits until every proxy has acknowledged what is there. */
  settled(): Promise<void>;
  /** `gatehouse rollout COMMAND NAMESPACE FLAGS`. */
  rollout(command: string, namespace: string, ...flags: readonly string[]): Promise<Outcome>;
  /** The edges of `gatehouse audit report -o json`. */
  edges(): Promise<readonly ReportedEdge[]>;
  /** The AuthorizationPolicies of a namespace, as a table. */
  policies(namespace: string): Promise<string>;
  /** The control plane's record of calls, of SQLite. */
  readonly auditFile: string;
  /** What it said lately, for messages of failed assertions. */
  log(): string;
}
