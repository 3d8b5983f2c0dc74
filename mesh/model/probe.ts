/** What a kubelet asks a container over HTTP to see whether it is well. It calls in plain text, from the node's address. */
export interface Probe {
  /** As the pod names it: `containers[0].livenessProbe`. */
  readonly field: string;
  /** The container's port, or its name. */
  readonly port: number | string;
  /** Undefined for gRPC's health service. */
  readonly path: string | undefined;
  readonly method: 'GET' | 'POST';
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}
