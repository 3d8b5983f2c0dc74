import { readFileSync, statSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Authority } from '../../ca/authority.ts';
import type { PageOptions } from './page-options.ts';

/** How often it is looked whether a certificate was renewed. */
const LOOK_MS = 2_000;

export interface PageListener {
  readonly app: FastifyInstance;
  close(): void;
}

/** Where certificates come from; `stamp` is another text when there may be others. */
interface Certificates {
  stamp(): string;
  read(): SecureContextOptions;
  close(): void;
}

function inFiles(certificate: string, key: string): Certificates {
  const stampOf = (file: string): string => {
    const { ino, size, mtimeMs } = statSync(file);
    return `${ino} ${size} ${mtimeMs}`;
  };
  return {
    stamp: () => `${stampOf(certificate)} ${stampOf(key)}`,
    read: () => ({ cert: readFileSync(certificate), key: readFileSync(key) }),
    close: () => {},
  };
}

async function ofAuthority(
  { address, url }: Pick<PageOptions, 'address' | 'url'>,
  authority: Pick<Authority, 'serverCredentials'>,
): Promise<Certificates> {
  const issued = await authority.serverCredentials({
    dnsNames: [...new Set(['localhost', 'gatehouse.istio-system.svc', ...(url === undefined ? [] : [url.hostname])])],
    ipAddresses: [...new Set(['127.0.0.1', ...(/^(?:0\.0\.0\.0|::)$/.test(address.host) ? [] : [address.host])])],
  });
  return {
    stamp: () => issued.current().serial,
    read() {
      const { cert, key } = issued.context();
      return { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
    },
    close: () => issued.close(),
  };
}

/**
 * A server for the page, over TLS unless that is done elsewhere. Certificates that are renewed count for new connections within seconds;
 * while what is in the files does not fit together, the last ones that did are used.
 * @throws Error when there is no certificate at the start
 */
export async function pageListener(
  options: Pick<PageOptions, 'tls' | 'address' | 'url'>,
  authority: Pick<Authority, 'serverCredentials'>,
  log: Logger,
): Promise<PageListener> {
  const { tls } = options;
  const common = { logger: false, bodyLimit: 8 * 1024, forceCloseConnections: true } as const;
  if (tls.kind === 'none')
    return { app: fastify({ ...common, serverFactory: (handler) => createPlainServer(handler) }), close: () => {} };
  const certificates = tls.kind === 'files' ? inFiles(tls.certificate, tls.key) : await ofAuthority(options, authority);
  const context = (): SecureContextOptions => ({ ...certificates.read(), minVersion: 'TLSv1.2' });
  let renewal: NodeJS.Timeout | undefined;
  const app = fastify({
    ...common,
    serverFactory: (handler) => {
      let stamp = certificates.stamp();
      const server = createServer(context(), handler);
      let complained = '';
      renewal = setInterval(() => {
        let current = '';
        try {
          current = certificates.stamp();
          if (current === stamp) return;
          server.setSecureContext(context());
          stamp = current;
          log.info('the page has another certificate');
        } catch (error) {
          // Once for each state of the files: one is written after the other.
          if (complained !== current)
            log.warn({ err: error }, 'the certificate of the page cannot be read; the one in use stays');
          complained = current;
        }
      }, LOOK_MS).unref();
      return server;
    },
  });
  return {
    app,
    close: () => {
      clearInterval(renewal);
      certificates.close();
    },
  };
}
