import { createServer } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { Every } from '../tls/credentials.ts';
import { listenOn } from '../tls/listen.ts';

/** What the endpoint proves itself with: a Web PKI certificate, or its SVID. */
export interface EndpointCertificate {
  readonly certPem: string;
  readonly keyPem: string;
  /** When to ask for the next one. */
  readonly renewAt: Date;
}

export interface EndpointOptions {
  readonly host: string;
  readonly port: number;
  readonly bundle: () => Promise<string>;
  /** Asked at the start and again at each `renewAt`. */
  readonly certificate: () => Promise<EndpointCertificate>;
  readonly clock: () => Date;
  readonly every: Every;
  readonly log: Logger;
}

export interface BundleEndpoint {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 1000;
const MOST_CONNECTIONS = 512;

/** Publishes a trust bundle over HTTPS at `/` (SPIFFE Federation, section 5). Public: whoever asks is answered. Rejects when it cannot listen. */
export async function startBundleEndpoint(options: EndpointOptions): Promise<BundleEndpoint> {
  const { host, clock, log } = options;
  let current = await options.certificate();
  const limits = {
    requestTimeout: 5000,
    headersTimeout: 5000,
    keepAliveTimeout: 5000,
    handshakeTimeout: 5000,
    maxHeaderSize: 8192,
  };
  const server = createServer({ ...limits, ...contextOf(current) }, (request, response) => {
    const [path] = (request.url ?? '').split('?');
    if (path !== '/') return void response.writeHead(404).end();
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
    options.bundle().then(
      (text) => response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(text),
      (error: unknown) => {
        log.error({ error: String(error) }, 'the trust bundle cannot be published');
        response.writeHead(503).end();
      },
    );
  });
  server.maxConnections = MOST_CONNECTIONS;
  // A client that speaks no TLS is no fault of ours.
  server.on('tlsClientError', () => {});
  server.on('clientError', (_, socket) => socket.destroy());
  const port = await listenOn(server, host, options.port);
  let renewing = false;
  const stop = options.every(LOOK_EVERY_MS, () => {
    if (renewing || clock() < current.renewAt) return;
    renewing = true;
    options
      .certificate()
      .then(
        (next) => {
          current = next;
          server.setSecureContext(contextOf(next));
        },
        (error: unknown) => log.error({ error: String(error) }, "the bundle endpoint's certificate cannot be renewed"),
      )
      .finally(() => {
        renewing = false;
      });
  });
  return {
    host,
    port,
    close() {
      stop();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function contextOf({ certPem, keyPem }: EndpointCertificate): SecureContextOptions {
  return { cert: certPem, key: keyPem, minVersion: 'TLSv1.2' };
}
