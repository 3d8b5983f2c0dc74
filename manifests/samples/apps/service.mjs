// What every sample service shares: a small HTTP server told by its environment where to listen and who it is, and calls
// to other services by name. Node >= 22, no dependencies. The environment:
//   HOST, PORT        where to listen
//   SERVICE, VERSION  who answers; POD_NAME which copy
//   HTTP_PROXY        where the sidecar listens for outbound calls; without it calls go straight to the name
//   FAIL=1            answer every request with 503 (FAIL=500: with that status)
import { Agent, createServer, request } from 'node:http';

export const env = process.env;

/** Headers that a service hands on to the services it calls: who the user is, and what ties one request's spans together. */
const HANDED_ON = [
  'end-user',
  'cookie',
  'authorization',
  'user-agent',
  'x-request-id',
  'traceparent',
  'tracestate',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'b3',
];

/** Headers a caller of a sample wants to see echoed: those above and what proxies add. */
const OF_INTEREST = [
  ...HANDED_ON,
  'host',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-envoy-original-path',
  'x-envoy-attempt-count',
  'x-forwarded-client-cert',
];

const BODY_LIMIT = 1 << 20;
const agent = new Agent({ keepAlive: true });

export function handedOn(headers) {
  return pick(headers, HANDED_ON);
}

function pick(headers, names) {
  return Object.fromEntries(names.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]]));
}

/** Where a service is called: NAME_URL in the environment, else its name and port in the same namespace. */
export function urlOf(service, port) {
  return env[`${service.toUpperCase().replaceAll('-', '_')}_URL`] ?? `http://${service}:${port}`;
}

function parsed(type, text) {
  if (!type?.includes('json')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Calls another service. Never rejects: a call that could not be made has status 0 and says why.
 * @returns {Promise<{url: string, status: number, body: unknown, error?: string}>}
 */
export function call(base, path, headers = {}, method = 'GET') {
  const target = new URL(path, base);
  const proxy = env.HTTP_PROXY || env.http_proxy ? new URL(env.HTTP_PROXY || env.http_proxy) : undefined;
  const to = proxy
    ? { host: proxy.hostname, port: proxy.port, path: target.href }
    : { host: target.hostname, port: target.port || 80, path: target.pathname + target.search };
  return new Promise((resolve) => {
    const failed = (error) => resolve({ url: target.href, status: 0, body: undefined, error: error.message });
    const sent = request({ ...to, method, headers: { ...headers, host: target.host }, agent, timeout: 10_000 }, (answer) => {
      const chunks = [];
      let size = 0;
      answer.on('data', (chunk) => {
        size += chunk.length;
        if (size <= BODY_LIMIT) chunks.push(chunk);
      });
      answer.on('error', failed);
      answer.on('end', () =>
        resolve({
          url: target.href,
          status: answer.statusCode,
          body: parsed(answer.headers['content-type'], Buffer.concat(chunks).toString()),
        }),
      );
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer in 10 s')));
    sent.on('error', failed);
    sent.end();
  });
}

/** Who answers, and what came in. */
export function self(req) {
  return {
    service: env.SERVICE ?? 'unknown',
    version: env.VERSION ?? 'v1',
    pod: env.POD_NAME ?? '',
    method: req.method,
    path: req.url,
    headers: pick(req.headers, OF_INTEREST),
  };
}

export function json(res, status, value) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(`${JSON.stringify(value)}\n`);
}

export function text(res, status, value, type = 'text/plain; charset=utf-8') {
  res.writeHead(status, { 'content-type': type });
  res.end(value);
}

function failure() {
  if (!env.FAIL || env.FAIL === '0') return undefined;
  const status = Number(env.FAIL);
  return status >= 200 && status <= 599 ? status : 503;
}

/** Serves `handle(req, res, url)` until SIGTERM; /healthz answers even while FAIL is set, as the process itself is well. */
export function serve(handle) {
  const server = createServer((req, res) => {
    req.resume();
    const url = new URL(req.url, 'http://unused');
    if (url.pathname === '/healthz') return text(res, 200, 'ok\n');
    const status = failure();
    if (status !== undefined) return json(res, status, { ...self(req), error: 'told to fail by FAIL' });
    Promise.resolve()
      .then(() => handle(req, res, url))
      .catch((error) => {
        console.error(error);
        if (!res.headersSent) json(res, 500, { ...self(req), error: error.message });
        else res.destroy();
      });
  });
  server.keepAliveTimeout = 65_000;
  server.listen(Number(env.PORT ?? 9080), env.HOST ?? '0.0.0.0', () => {
    const { address, port } = server.address();
    console.log(`${env.SERVICE ?? 'service'} ${env.VERSION ?? 'v1'} listens on ${address}:${port}`);
  });
  server.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
  const stop = () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 300).unref();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  return server;
}

export function notFound(req, res) {
  json(res, 404, { ...self(req), error: 'no such path' });
}
