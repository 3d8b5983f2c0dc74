import { request as plainRequest, type ClientRequest, type IncomingMessage, Agent as PlainAgent } from 'node:http';
import { Agent, request as tlsRequest } from 'node:https';
import type { Access } from './access.ts';
import { ApiError, Unreachable } from './api-error.ts';
import { isJson, mapAt, textAt } from './json.ts';
import { linesOf } from './lines.ts';
import { skimmed } from './skim.ts';

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** As `/api/v1/namespaces`, with its query. */
  readonly path: string;
  readonly body?: unknown;
  /** For PATCH: `application/merge-patch+json` if absent. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called with each warning of the server, or of its webhooks, to whoever sent this. */
  readonly onWarning?: (text: string) => void;
  /** Members of these names are left out of the answer where they are lists or mappings, before it is read. */
  readonly without?: ReadonlySet<string> | undefined;
}

export interface StreamRequest {
  readonly path: string;
  readonly accept?: string;
  /** Without a byte for so long the connection counts as lost. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/** The Kubernetes API as one caller sees it. Everything in `kubernetes/` speaks to it through this. */
export interface ApiClient {
  readonly access: Access;
  /**
   * The body of a successful answer.
   * @throws ApiError when the server refuses; @throws Unreachable when it was not reached
   */
  request(request: ApiRequest): Promise<unknown>;
  /** The lines of a watch, one JSON value each, until it ends. Throws as `request` does. */
  stream(request: StreamRequest): AsyncIterable<unknown>;
  close(): void;
}

const TIMEOUT_MS = 30_000;
const CONNECT_MS = 10_000;
/** A page of 500 objects of the largest size that etcd takes is more than anybody has. */
const LARGEST_ANSWER = 256 * 1024 * 1024;
const USER_AGENT = 'gatehouse';

/** @param connections at most so many at a time for requests; each watch has one of its own */
export function apiClient(access: Access, connections = 8): ApiClient {
  return new HttpClient(access, connections);
}

class HttpClient implements ApiClient {
  readonly access: Access;
  readonly #agents = new Map<string, Agent | PlainAgent>();
  readonly #connections: number;

  constructor(access: Access, connections: number) {
    this.access = access;
    this.#connections = connections;
  }

  async request(request: ApiRequest): Promise<unknown> {
    const { timeoutMs = TIMEOUT_MS } = request;
    const limit = AbortSignal.timeout(timeoutMs);
    const signal = request.signal === undefined ? limit : AbortSignal.any([limit, request.signal]);
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const response = await this.#send('request', request.path, signal, {
      method: request.method ?? 'GET',
      accept: request.accept ?? 'application/json',
      body,
      contentType: request.contentType ?? (request.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'),
    });
    const bytes = await bytesOf(response, LARGEST_ANSWER);
    if (request.onWarning !== undefined) for (const warning of warningsOf(response)) request.onWarning(warning);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw refused(status, response, bytes.toString('utf8'));
    return valueOf((request.without === undefined ? bytes : skimmed(bytes, request.without)).toString('utf8'));
  }

  async *stream({ path, idleMs, signal, accept = 'application/json' }: StreamRequest): AsyncGenerator {
    const idle = new AbortController();
    const timer = setTimeout(() => idle.abort(new Unreachable(`nothing came for ${idleMs / 1000} s`)), idleMs);
    const both = AbortSignal.any([signal, idle.signal]);
    try {
      const response = await this.#send('stream', path, both, { method: 'GET', accept });
      const status = response.statusCode ?? 0;
      if (status !== 200) throw refused(status, response, await textOf(response, LARGEST_ANSWER));
      response.on('data', () => timer.refresh());
      try {
        for await (const line of linesOf(response)) yield valueOf(line);
      } catch (cause) {
        throw idle.signal.aborted ? idle.signal.reason : unreachable(cause);
      }
    } finally {
      clearTimeout(timer);
      idle.abort();
    }
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async #send(
    use: 'request' | 'stream',
    path: string,
    signal: AbortSignal,
    what: { method: string; accept: string; body?: string | undefined; contentType?: string },
  ): Promise<IncomingMessage> {
    const credentials = await this.access.credentials();
    const url = new URL(`${this.access.server}${path}`);
    const agent = credentials.agent ?? this.#agent(use, url.protocol === 'https:');
    const headers = {
      ...credentials.headers,
      accept: what.accept,
      'user-agent': USER_AGENT,
      ...(what.body !== undefined && {
        'content-type': what.contentType ?? 'application/json',
        'content-length': String(Buffer.byteLength(what.body)),
      }),
    };
    return new Promise((resolve, reject) => {
      const make = url.protocol === 'https:' ? tlsRequest : plainRequest;
      const sent: ClientRequest = make(url, { method: what.method, headers, agent, signal, ...credentials.tls }, resolve);
      sent.on('socket', (socket) => {
        // A peer that is gone is noticed by the kernel as well.
        socket.setKeepAlive(true, 15_000);
        if (!socket.connecting) return;
        const late = setTimeout(() => sent.destroy(new Unreachable(`no connection within ${CONNECT_MS / 1000} s`)), CONNECT_MS);
        socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => clearTimeout(late));
        socket.once('close', () => clearTimeout(late));
      });
      sent.on('error', (cause) =>
        reject(signal.aborted && signal.reason instanceof Unreachable ? signal.reason : unreachable(cause)),
      );
      sent.end(what.body);
    });
  }

  /** An agent keeps connections apart that were opened with other certificates. */
  #agent(use: 'request' | 'stream', secure: boolean): Agent | PlainAgent {
    const name = `${use} ${secure ? 'https' : 'http'}` as const;
    const size = { keepAlive: use === 'request', ...(use === 'request' && { maxSockets: this.#connections }) };
    const agent = this.#agents.get(name) ?? (secure ? new Agent(size) : new PlainAgent(size));
    this.#agents.set(name, agent);
    return agent;
  }
}

async function textOf(response: IncomingMessage, most: number): Promise<string> {
  return (await bytesOf(response, most)).toString('utf8');
}

async function bytesOf(response: IncomingMessage, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response) {
      const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      size += bytes.length;
      if (size > most) throw new Unreachable(`an answer has more than ${most} bytes`);
      chunks.push(bytes);
    }
  } catch (cause) {
    throw unreachable(cause);
  }
  return Buffer.concat(chunks);
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Unreachable('the answer is no JSON', { cause });
  }
}

/** `299 - "text"`, one or several in a header (RFC 7234, section 5.5). */
function warningsOf(response: IncomingMessage): readonly string[] {
  const headers = response.headersDistinct['warning'] ?? [];
  return headers.flatMap((header) =>
    [...header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1')),
  );
}

function refused(status: number, response: IncomingMessage, text: string): ApiError {
  const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const message = textAt(body, 'message') || text.slice(0, 200) || (response.statusMessage ?? '');
  return new ApiError(status, textAt(body, 'reason'), message, retryAfter(seconds, body));
}

function retryAfter(seconds: number, body: unknown): number | undefined {
  if (Number.isFinite(seconds)) return seconds * 1000;
  const told = isJson(body) ? mapAt(body, 'details')['retryAfterSeconds'] : undefined;
  return typeof told === 'number' ? told * 1000 : undefined;
}

function unreachable(cause: unknown): Error {
  if (cause instanceof Unreachable || cause instanceof ApiError) return cause;
  return new Unreachable(cause instanceof Error ? cause.message : String(cause), { cause });
}
