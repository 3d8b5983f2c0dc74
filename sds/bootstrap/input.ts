/** Everything that a proxy's bootstrap depends on. No secrets: those come by SDS. */
export interface BootstrapInput {
  readonly node: NodeInput;
  readonly controlPlane: ControlPlaneAddress;
  readonly xds: 'delta' | 'sotw';
  /** Unix sockets: the agent's SDS server, and Envoy's own admin interface. */
  readonly sdsSocket: string;
  readonly adminSocket: string;
  /** Also serve the admin interface on this port of 127.0.0.1. */
  readonly adminPort?: number | undefined;
}

export interface NodeInput {
  readonly kind: 'sidecar' | 'router';
  readonly ip: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly workload: string;
  readonly pod: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The DNS domain of the mesh; `cluster.local` by default. */
  readonly domain: string;
  readonly locality?: LocalityInput | undefined;
}

export interface LocalityInput {
  readonly region?: string | undefined;
  readonly zone?: string | undefined;
  readonly subzone?: string | undefined;
}

export interface ControlPlaneAddress {
  /** An IP address, or a name that Envoy resolves. */
  readonly host: string;
  readonly port: number;
  /** The DNS name that the control plane's certificate must carry. */
  readonly serverName: string;
}
