/** Where a proxy that has no control plane takes its certificate, key and roots from. */
export type StaticSecrets =
  /** An agent's SDS server on this Unix socket. */
  | { readonly kind: 'sds'; readonly socket: string }
  /** PEM files, which Envoy reads once; `systemRoots` are the operating system's authorities, where Debian has them unless given. */
  | {
      readonly kind: 'files';
      readonly certificate: string;
      readonly key: string;
      readonly roots: string;
      readonly systemRoots?: string;
    };

/** Where access logs go. */
export type StaticAccessLog =
  | { readonly kind: 'none' }
  /** JSON lines on standard output. */
  | { readonly kind: 'stdout' }
  /** To a control plane, over mutual TLS with the proxy's own certificate. */
  | { readonly kind: 'grpc'; readonly address: string; readonly port: number; readonly serverName: string };

export interface StaticOptions {
  /** Node id and cluster that Envoy calls itself. */
  readonly node: { readonly id: string; readonly cluster: string };
  readonly secrets: StaticSecrets;
  readonly accessLog: StaticAccessLog;
  /** Envoy's admin interface; left out, there is none. */
  readonly admin?: { readonly address: string; readonly port: number };
}
