import type { Logger } from 'pino';
import type { TrustDomain } from './identity/trust-domain.ts';
import type { Outcome } from './refusal.ts';
import type { ServerTls, ServerTlsOptions } from './tls/credentials.ts';
import type { AuthenticatedCall, PeerOf } from './tls/peer.ts';

export interface AuthorityOptions {
  /** The root's folder: created with mode 0700 when missing. */
  readonly dir: string;
  readonly trustDomain: TrustDomain;
  readonly clock: () => Date;
  readonly log: Logger;
  /** JWKS file of the token issuer; without it callers can only authenticate with a certificate. Read again when it changes. */
  readonly jwksFile?: string;
  readonly issuer?: string;
  /** Default `istio-ca`. */
  readonly audience?: string;
  /** Longest lifetime given, in seconds; default 24 h. */
  readonly maxTtlSeconds?: number;
  /** Given when the caller asks for 0; default 24 h, at most maxTtlSeconds. */
  readonly defaultTtlSeconds?: number;
}

export interface IssueRequest {
  /** PKCS#10, PEM or DER. */
  readonly csr: string | Uint8Array;
  /** Asked for; 0 asks for the default. */
  readonly ttlSeconds: number;
  /** The values of the metadata key `authorization`. */
  readonly authorization: readonly string[];
  /** The call, for its TLS peer certificate; absent where there is no TLS. */
  readonly call?: AuthenticatedCall;
}

export interface Issued {
  /** PEM blocks: leaf, intermediates, root last. */
  readonly certChain: readonly string[];
  readonly serial: string;
  readonly spiffeId: string;
  readonly notAfter: Date;
}

export interface Authority {
  readonly trustDomain: TrustDomain;
  /** The trust bundle, PEM. */
  readonly rootCertPem: string;
  /** DIR/root-cert.pem, absolute. */
  readonly rootCertPath: string;
  /** Authenticate, verify, authorize, log, sign, check, log. Never rejects for what a caller sent. */
  issue(request: IssueRequest): Promise<Outcome<Issued>>;
  /** TLS for the control plane's gRPC server, with a certificate of this authority, renewed in place. */
  serverCredentials(options: ServerTlsOptions): Promise<ServerTls>;
  /** The verified TLS peer of a call; refuses foreign, expired and missing certificates. */
  readonly peerOf: PeerOf;
  close(): Promise<void>;
}

/** Opens (creating it on the first start) the authority kept in a folder. Rejects with AuthorityError, whose message says what to do. */
export declare function openAuthority(options: AuthorityOptions): Promise<Authority>;
