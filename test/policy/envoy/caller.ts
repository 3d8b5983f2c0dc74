import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Issued } from '../../audit/envoy/certificates.ts';
import { REACHED, type Reached } from './application.ts';

/** What a caller shows: its certificate, nothing but TLS (`anonymous`), or plain text. */
export type Shown = Issued | 'anonymous' | 'plain';

export interface Call {
  readonly to: { readonly host: string; readonly port: number };
  readonly shown: Shown;
  /** The server name in the handshake. */
  readonly sni?: string | undefined;
  /** As in scenarios: HTTP, HTTP2, GRPC, WEBSOCKET or TCP. */
  readonly protocol: string;
  readonly method?: string | undefined;
  /** Sent as it is. */
  readonly path?: string | undefined;
  /** `host` may be among them. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  readonly localAddress?: string | undefined;
  /** What is offered in the handshake; by default what a proxy of the mesh offers. */
  readonly alpn?: readonly string[] | undefined;
  /** Over HTTP/1.1. */
  readonly body?: string;
}

export interface Outcome {
  /** The application answered. */
  readonly reached: boolean;
  /** Undefined when the connection was closed without an answer. */
  readonly status: number | undefined;
  readonly grpcStatus: number | undefined;
  readonly body: string;
  /** What the application got. */
  readonly seen: Reached | undefined;
  /** The answer's headers. */
  readonly headers: Readonly<Record<string, unknown>>;
}

const CLOSED: Outcome = Object.freeze({
  reached: false,
  status: undefined,
  grpcStatus: undefined,
  body: '',
  seen: undefined,
  headers: Object.freeze({}),
});
const TIMEOUT_MS = 10_000;
const RESET: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ERR_HTTP2_STREAM_ERROR', 'ERR_HTTP2_SESSION_ERROR']);

function wasClosed(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return RESET.has(error.code) || error.code.startsWith('ERR_SSL_');
}

/** As a proxy of the mesh offers them: `istio` tells a permissive server that the TLS is the mesh's own. */
function offered(protocol: string): string[] {
  return protocol === 'HTTP2' || protocol === 'GRPC' ? ['istio', 'h2'] : ['istio', 'http/1.1'];
}

async function open({ to, shown, sni, protocol, localAddress, alpn }: Call): Promise<Socket> {
  const plain = connect({ ...to, ...(localAddress === undefined ? {} : { localAddress }) });
  plain.setTimeout(TIMEOUT_MS, () => plain.destroy(new Error('no answer in time')));
  if (shown === 'plain') {
    await once(plain, 'connect');
    return plain;
  }
  const own = shown === 'anonymous' ? {} : { cert: shown.cert, key: shown.key };
  const socket: TLSSocket = connectTls({
    socket: plain,
    ...own,
    rejectUnauthorized: false,
    ALPNProtocols: [...(alpn ?? offered(protocol))],
    ...(sni === undefined ? {} : { servername: sni }),
  });
  try {
    await once(socket, 'secureConnect');
  } catch (error) {
    plain.destroy();
    throw error;
  }
  return socket;
}

function seenOf(reached: boolean, body: string): Reached | undefined {
  return reached && body.startsWith('{') ? (JSON.parse(body) as Reached) : undefined;
}

async function overHttp1(call: Call, socket: Socket): Promise<Outcome> {
  const upgrade = call.protocol === 'WEBSOCKET' ? { connection: 'Upgrade', upgrade: 'websocket' } : {};
  const request = httpRequest({
    createConnection: () => socket,
    method: call.method ?? 'GET',
    path: call.path ?? '/',
    headers: { ...headersOf(call), ...upgrade },
  });
  request.end(call.body);
  const [response] = (await Promise.race([once(request, 'response'), once(request, 'upgrade')])) as [IncomingMessage];
  const { statusCode: status, headers } = response;
  const reached = headers[REACHED] !== undefined;
  if (status === 101) return { ...CLOSED, reached, status, headers };
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(Buffer.from(chunk as Uint8Array));
  const body = Buffer.concat(chunks).toString();
  return { reached, status, grpcStatus: undefined, body, seen: seenOf(reached, body), headers };
}

function headersOf({ headers = {} }: Call): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  );
}

async function overHttp2(call: Call, socket: Socket): Promise<Outcome> {
  const { host = 'app.test', Host, ...others } = headersOf(call);
  const session = connectHttp2('http://app.test', { createConnection: () => socket });
  try {
    const grpc = call.protocol === 'GRPC' ? { 'content-type': 'application/grpc', te: 'trailers' } : {};
    const stream = session.request({
      ...others,
      ...grpc,
      ':method': call.method ?? 'GET',
      ':path': call.path ?? '/',
      ':authority': String(Host ?? host),
    });
    stream.end();
    let trailers: Readonly<Record<string, unknown>> = {};
    stream.on('trailers', (found: Readonly<Record<string, unknown>>) => (trailers = found));
    const failed = once(session, 'error').then(([error]) => Promise.reject(error as Error));
    failed.catch(() => undefined);
    const [headers] = (await Promise.race([once(stream, 'response'), failed])) as [Readonly<Record<string, unknown>>];
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
    const body = Buffer.concat(chunks).toString();
    const grpcStatus = headers['grpc-status'] ?? trailers['grpc-status'];
    const reached = headers[REACHED] !== undefined;
    return {
      reached,
      status: Number(headers[':status']),
      grpcStatus: grpcStatus === undefined ? undefined : Number(grpcStatus),
      body,
      seen: seenOf(reached, body),
      headers,
    };
  } finally {
    session.destroy();
  }
}

async function overTcp(socket: Socket): Promise<Outcome> {
  // Long enough for a proxy to see that it is neither TLS nor HTTP.
  socket.write('one line, which the application sends back\n');
  const answered = once(socket, 'data').then(() => true);
  const ended = once(socket, 'end').then(() => false);
  answered.catch(() => undefined);
  ended.catch(() => undefined);
  return { ...CLOSED, reached: await Promise.race([answered, ended]) };
}

/** One call on a connection of its own, as a proxy of the mesh (or somebody outside) would make it. */
export async function send(call: Call): Promise<Outcome> {
  let socket: Socket | undefined;
  try {
    socket = await open(call);
    if (call.protocol === 'TCP') return await overTcp(socket);
    return await (call.protocol === 'HTTP2' || call.protocol === 'GRPC' ? overHttp2(call, socket) : overHttp1(call, socket));
  } catch (error) {
    if (wasClosed(error)) return CLOSED;
    throw error;
  } finally {
    socket?.destroy();
  }
}
