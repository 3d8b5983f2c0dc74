import type { AgentOptions } from 'node:https';
import type { Agent } from 'node:http';

/** How to reach one API server as one caller. */
export interface Access {
  /** As `https://10.96.0.1:443`, without a slash at the end. */
  readonly server: string;
  /** For people: the context, or `in-cluster`. */
  readonly name: string;
  /** The namespace of the context, or of the Pod that this runs in. */
  readonly namespace: string;
  /** What a new connection needs. Asked for each request, since tokens and certificates are replaced while this runs. */
  credentials(): Promise<Credentials>;
}

export interface Credentials {
  readonly tls: AgentOptions;
  readonly headers: Readonly<Record<string, string>>;
  /** Where the kubeconfig names a proxy. */
  readonly agent?: Agent;
}

/** The cluster cannot be reached as it is configured; the message says what to do. */
export class AccessError extends Error {
  override readonly name = 'AccessError';
}
