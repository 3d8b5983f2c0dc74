import type { ServerCredentials } from '@grpc/grpc-js';

export interface ServerTlsOptions {
  /** DNS names of the server certificate; the first is its main one. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** Lifetime of each server certificate in seconds; default 24 h, renewed in place when half of it is over. */
  readonly ttlSeconds?: number;
}

export interface ServerTls {
  /** For `grpc.Server.bindAsync`: TLS 1.2 or 1.3, client certificate asked for, optional. */
  readonly credentials: ServerCredentials;
  /** The server certificate in use, for metrics and logs. */
  current(): { readonly serial: string; readonly notAfter: Date; readonly chainPem: string };
  /** Stops the renewal. */
  close(): void;
}
