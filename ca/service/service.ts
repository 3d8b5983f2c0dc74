import type { Server } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Authority } from '../authority.ts';

export interface CertificateServiceOptions {
  readonly authority: Pick<Authority, 'issue'>;
  readonly log: Logger;
  /** Requests worked on at once; default 64. */
  readonly concurrency?: number;
  /** Requests waiting at most, over all callers; default 2,000. More are answered RESOURCE_EXHAUSTED with a retry hint. */
  readonly queue?: number;
}

/** Adds istio.v1.auth.IstioCertificateService to a server. Set the server's `grpc.max_receive_message_length` as its other services need. */
export declare function addCertificateService(server: Server, options: CertificateServiceOptions): void;
