import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { listenOn } from '../../ca/tls/listen.ts';
import { adminCall, adminGet, isLive } from '../envoy/admin.ts';
import { parseScrapes, scrape } from './metrics.ts';
import { probe, type ProbeTarget } from './probe.ts';
import type { Prober } from './probers.ts';

export interface PodServerOptions {
  /** Where the agent answers for all that follows; 0: nowhere. */
  readonly statusPort: number;
  /** Where only readiness is, and only Envoy's metrics; undefined: nowhere. */
  readonly readyPort: number | undefined;
  readonly metricsPort: number | undefined;
  readonly adminSocket: string;
  readonly probers: ReadonlyMap<string, Prober>;
  readonly target: ProbeTarget;
  /** What to scrape of the application (`ISTIO_PROMETHEUS_ANNOTATIONS`). */
  readonly scrapes: string | undefined;
  /** The agent's own metrics. */
  readonly ownMetrics: () => Promise<string>;
  /** To be called when a process of the pod asks for the end. */
  readonly onQuit: () => void;
  readonly log: Logger;
}

export interface PodServer {
  /** As bound: the status port. */
  readonly port: number;
  close(): Promise<void>;
}

const TEXT = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
const LIMITS = { requestTimeout: 65_000, headersTimeout: 5000, maxHeaderSize: 16_384 };
/** As one pod's kubelet, scraper and hooks need; more are refused. */
const MOST_CONNECTIONS = 64;

/** Of the pod itself: who may end its proxy. */
function isLocal({ socket }: IncomingMessage): boolean {
  const { remoteAddress = '' } = socket;
  return /^(::ffff:)?127\./.test(remoteAddress) || remoteAddress === '::1';
}

/**
 * The ports of a pod on which its agent answers the kubelet, scrapers and hooks: readiness, the application's probes in the kubelet's place, metrics, drain and
 * end. Traffic to them is not captured, so whoever reaches the pod reaches them: nothing here tells more than the kubelet asks, and drain and end are for processes of the pod.
 */
export async function servePod(options: PodServerOptions): Promise<PodServer> {
  const servers: Server[] = [];
  const { statusPort, readyPort, metricsPort } = options;
  try {
    const status = await opened(servers, statusPort, (request, response) => answer(options, request, response));
    if (readyPort !== undefined) await opened(servers, readyPort, (request, response) => onlyReady(options, request, response));
    if (metricsPort !== undefined)
      await opened(servers, metricsPort, (request, response) => onlyMetrics(options, request, response));
    return { port: status, close: () => closeAll(servers) };
  } catch (error) {
    await closeAll(servers);
    throw error;
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

async function opened(servers: Server[], port: number, handler: Handler): Promise<number> {
  const server = createServer(LIMITS, (request, response) => {
    request.resume();
    handler(request, response).catch(() => end(response, 500));
  });
  server.maxConnections = MOST_CONNECTIONS;
  // Without IPv6 in the pod's kernel, IPv4 alone.
  const bound = await listenOn(server, '::', port).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EAFNOSUPPORT' && error.code !== 'EADDRNOTAVAIL') throw error;
    return listenOn(server, '0.0.0.0', port);
  });
  servers.push(server);
  return bound;
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map((server) => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    }),
  );
}

function end(response: ServerResponse, status: number, body = ''): void {
  if (!response.headersSent) response.writeHead(status, body === '' ? {} : TEXT);
  response.end(body);
}

async function ready({ adminSocket }: PodServerOptions, response: ServerResponse): Promise<void> {
  end(response, (await isLive(adminSocket)) ? 200 : 503);
}

async function onlyReady(options: PodServerOptions, { method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
  if (method === 'GET' && url === '/healthz/ready') return ready(options, response);
  end(response, 404);
}

async function onlyMetrics(options: PodServerOptions, { method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
  if (method === 'GET' && url === '/stats/prometheus') return end(response, 200, await envoyMetrics(options));
  end(response, 404);
}

async function answer(options: PodServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '' } = request;
  const path = url.split('?')[0] ?? '';
  const prober = options.probers.get(path);
  if (prober !== undefined && (method === 'GET' || method === 'HEAD')) return end(response, await probe(prober, options.target));
  switch (`${method} ${path}`) {
    case 'GET /healthz/ready':
      return ready(options, response);
    case 'GET /stats/prometheus':
      return end(response, 200, await allMetrics(options, request));
    case 'POST /drain':
      if (!isLocal(request)) return end(response, 403, 'only from within the pod\n');
      await adminCall('POST', options.adminSocket, '/drain_listeners?inboundonly&graceful&skip_exit');
      return end(response, 200);
    case 'POST /quitquitquit':
      if (!isLocal(request)) return end(response, 403, 'only from within the pod\n');
      end(response, 200);
      options.log.info('a process of the pod asked for the end');
      return options.onQuit();
    default:
      return end(response, 404);
  }
}

async function envoyMetrics({ adminSocket }: PodServerOptions): Promise<string> {
  const found = await adminGet(adminSocket, '/stats/prometheus', 5000).catch(() => undefined);
  return found?.status === 200 ? found.body : '';
}

/** Envoy's, the agent's and the application's, one below the other. */
async function allMetrics(options: PodServerOptions, request: IncomingMessage): Promise<string> {
  const timeout = request.headers['x-prometheus-scrape-timeout-seconds'];
  const headers = {
    accept: 'text/plain; version=0.0.4',
    ...(typeof timeout === 'string' ? { 'x-prometheus-scrape-timeout-seconds': timeout } : {}),
  };
  const own = parseScrapes(options.scrapes, options.statusPort).map((one) => scrape(one, options.target, headers));
  const parts = await Promise.all([envoyMetrics(options), options.ownMetrics().catch(() => ''), ...own]);
  return parts
    .filter((part) => part !== '')
    .map((part) => (part.endsWith('\n') ? part : `${part}\n`))
    .join('');
}
