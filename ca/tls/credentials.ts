import type { SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { presentedChain } from './presented-chain.ts';
import type { ServerCertificate } from './server-certificate.ts';

export interface ServerTlsOptions {
  /** DNS names of the server certificate; IP addresses among them become addresses. */
  readonly dnsNames: readonly string[];
  /** IPv4 and IPv6 addresses of the server certificate. */
  readonly ipAddresses?: readonly string[];
  /** Lifetime of each server certificate in seconds; default 24 h, renewed in place when half of it is over. */
  readonly ttlSeconds?: number;
}

export interface ServerTls {
  /** For `grpc.Server.bindAsync`: TLS 1.2 or 1.3, client certificate asked for, optional. */
  readonly credentials: ServerCredentials;
  /** The server certificate in use, for metrics and logs. */
  current(): { readonly serial: string; readonly notAfter: Date; readonly chainPem: string };
  /** The certificate in use with its key, for a server of this process that does not speak gRPC. Never to be logged. */
  context(): SecureContextOptions;
  /** Gets another certificate at once. Rejects when there is none to be had; the one in use stays. */
  renew(): Promise<void>;
  /** To be called when the trust bundle changed: whose client certificates count on new connections. */
  trustChanged(): void;
  /** Stops the renewal. */
  close(): void;
}

/** Runs a task again and again until the returned function is called. */
export type Every = (ms: number, task: () => void) => () => void;

export const systemEvery: Every = (ms, task) => {
  const timer = setInterval(task, ms);
  timer.unref();
  return () => clearInterval(timer);
};

/**
 * Server credentials whose certificate can be exchanged while the server runs: new connections get the new one, open ones stay.
 * A client certificate that does not verify counts as none (`authorized` is false and grpc-js does not show it); whether a call
 * needs one is decided for each call, since an agent's first call has none.
 */
class RenewableCredentials extends ServerCredentials {
  constructor(context: SecureContextOptions) {
    super({ requestCert: true, rejectUnauthorized: false, handshakeTimeout: 10_000 }, context);
  }

  renew(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/** How often the remaining lifetime is looked at: wall time, so a clock that was set or a machine that slept is noticed. */
const LOOK_EVERY_MS = 30_000;

export interface Renewal {
  readonly issue: () => Promise<ServerCertificate>;
  readonly rootCertPem: () => string;
  readonly clock: () => Date;
  readonly every: Every;
  readonly log: Logger;
}

/** Server TLS with a certificate that is renewed in place at half its life. A failed renewal is logged and tried again. */
export async function renewedServerTls({ issue, rootCertPem, clock, every, log }: Renewal): Promise<ServerTls> {
  let certificate = await issue();
  let renewing = false;
  const credentials = new RenewableCredentials(contextOf(certificate, rootCertPem()));
  const exchange = async (): Promise<void> => {
    certificate = await issue();
    credentials.renew(contextOf(certificate, rootCertPem()));
    log.info({ serial: certificate.serial, notAfter: certificate.notAfter }, 'the server certificate was renewed');
  };
  const renew = async (): Promise<void> => {
    try {
      await exchange();
    } catch (error) {
      log.error(
        { error: error instanceof Error ? error.message : String(error), notAfter: certificate.notAfter },
        'the server certificate cannot be renewed',
      );
    } finally {
      renewing = false;
    }
  };
  const life = certificate.notAfter.getTime() - clock().getTime();
  const stop = every(Math.max(200, Math.min(LOOK_EVERY_MS, life / 8)), () => {
    const now = clock();
    if (renewing || (now < certificate.renewAt && now >= certificate.notBefore)) return;
    renewing = true;
    void renew();
  });
  return {
    credentials,
    current: () => ({ serial: certificate.serial, notAfter: certificate.notAfter, chainPem: certificate.chainPem }),
    context: () => contextOf(certificate, rootCertPem()),
    renew: exchange,
    trustChanged: () => credentials.renew(contextOf(certificate, rootCertPem())),
    close: stop,
  };
}

function contextOf(certificate: ServerCertificate, rootCertPem: string): SecureContextOptions {
  return {
    cert: presentedChain(certificate.chainPem, rootCertPem),
    key: certificate.keyPem,
    ca: rootCertPem,
    minVersion: 'TLSv1.2',
  };
}
