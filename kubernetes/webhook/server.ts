import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';
import { listenOn } from '../../ca/tls/listen.ts';
import { variablesOfPath } from '../inject/url.ts';
import type { TextMap } from '../inject/json.ts';
import { type AdmissionAnswer, type AdmissionRequest, answerText, parseReview } from './review.ts';

export interface WebhookHandlers {
  readonly inject: (request: AdmissionRequest, environment: TextMap) => Promise<AdmissionAnswer>;
  readonly validate: (request: AdmissionRequest) => Promise<AdmissionAnswer>;
}

export interface WebhookServerOptions {
  readonly host: string;
  readonly port: number;
  readonly context: SecureContextOptions;
  readonly handlers: WebhookHandlers;
  readonly log: Logger;
}

export interface WebhookServer {
  readonly port: number;
  renew(context: SecureContextOptions): void;
  close(): Promise<void>;
}

/** An object and the one before it, each at most what etcd takes, twice over for their JSON. */
const LARGEST_BODY = 8 * 1024 * 1024;
const MOST_CONNECTIONS = 1024;
/** The API server gives up after 10 s (timeoutSeconds); nothing is worth doing after. */
const LIMITS = { requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 90_000, maxHeaderSize: 16_384 };

/** The HTTPS server that the API server asks. Answers `/inject` (with Istio's paths below it) and `/validate`, to AdmissionReviews only. */
export async function webhookServer({ host, port, context, handlers, log }: WebhookServerOptions): Promise<WebhookServer> {
  const server = createServer({ ...context, ...LIMITS, handshakeTimeout: 10_000 }, (request, response) => {
    handle(request, response, handlers, log).catch((error: unknown) => {
      log.error({ error: error instanceof Error ? error.message : String(error) }, 'a webhook request failed');
      // A status other than 200 lets the failurePolicy of the webhook decide.
      end(response, 500, 'internal error');
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  const bound = await listenOn(server, host, port);
  return {
    port: bound,
    renew: (next) => server.setSecureContext(next),
    close: () => closed(server),
  };
}

function closed(server: Server): Promise<void> {
  server.closeIdleConnections();
  const force = setTimeout(() => server.closeAllConnections(), 1000);
  return new Promise((resolve) =>
    server.close(() => {
      clearTimeout(force);
      resolve();
    }),
  );
}

function end(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  if (!response.headersSent) response.writeHead(status, { 'content-type': type });
  response.end(text);
}

async function handle(request: IncomingMessage, response: ServerResponse, handlers: WebhookHandlers, log: Logger): Promise<void> {
  const path = request.url?.split('?')[0] ?? '';
  const injects = path === '/inject' || path.startsWith('/inject/');
  if (request.method === 'GET' && path === '/ready') return end(response, 200, 'ok');
  if (!injects && path !== '/validate') return end(response, 404, 'there are /inject and /validate');
  if (request.method !== 'POST') return end(response, 405, 'only POST');
  if (!(request.headers['content-type'] ?? '').startsWith('application/json')) return end(response, 415, 'only application/json');
  const body = await bodyOf(request);
  if (body === undefined) return end(response, 413, `more than ${LARGEST_BODY} bytes`);
  const review = parseReview(body);
  if (!review.ok) return end(response, 400, review.reason);
  const answer = injects ? await handlers.inject(review.value, variablesOfPath(path)) : await handlers.validate(review.value);
  const { namespace, name, kind, uid } = review.value;
  log.debug(
    {
      webhook: injects ? 'inject' : 'validate',
      kind: kind.kind,
      namespace,
      name,
      allowed: answer.allowed,
      message: answer.message,
    },
    'admission',
  );
  end(response, 200, answerText(uid, answer), 'application/json');
}

/** Undefined when it is too large; the connection is given up then. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Uint8Array)) continue;
    size += chunk.length;
    if (size > LARGEST_BODY) return undefined;
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks).toString('utf8');
}
