import type { SecureContextOptions } from 'node:tls';
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
  /** The server certificate in use, for metrics and logs. */
  current(): { readonly serial: string; readonly notAfter: Date; readonly chainPem: string };
  /** The certificate in use with its key and the roots of client certificates, for a server of this process. Never to be logged. */
  context(): SecureContextOptions;
  /** Has a listener told when `context` gives something else, until the returned function is called. */
  onChange(listener: () => void): () => void;
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
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of listeners) listener();
  };
  const exchange = async (): Promise<void> => {
    certificate = await issue();
    changed();
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
    current: () => ({ serial: certificate.serial, notAfter: certificate.notAfter, chainPem: certificate.chainPem }),
    context: () => contextOf(certificate, rootCertPem()),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    renew: exchange,
    trustChanged: changed,
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
