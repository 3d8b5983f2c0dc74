import { constants, type Http2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { TLSSocket } from 'node:tls';
import { status } from '@grpc/grpc-js';
import type { AuthenticatedCall } from '../tls/peer.ts';
import type { RawCall } from './call.ts';
import { type FramedMessage, PREFIX } from './framed.ts';
import type { RpcError } from './status.ts';

/** A unary method on bytes. Never rejects. */
export type UnaryMethod = (call: RawCall) => Promise<FramedMessage | RpcError>;

const CONTENT_TYPE = 'application/grpc+proto';
const NO_ERROR = constants.NGHTTP2_NO_ERROR;
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = Object.freeze({ H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 });

/** Whether a call is a plain one: what is compressed or malformed is left to grpc-js. */
export function isPlain(headers: IncomingHttpHeaders): boolean {
  const encoding = headers['grpc-encoding'];
  const timeout = headers['grpc-timeout'];
  return (
    headers[':method'] === 'POST' &&
    headers['content-type']?.startsWith('application/grpc') === true &&
    (encoding === undefined || encoding === 'identity') &&
    (timeout === undefined || (typeof timeout === 'string' && TIMEOUT.test(timeout)))
  );
}

/**
 * Answers one unary gRPC call on its HTTP/2 stream (the gRPC specification, "gRPC over HTTP2"): one message in, one message or one
 * error out.
 * @param largest bytes of the message; longer ones are refused as soon as their length is known
 */
export function answerUnary(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, method: UnaryMethod, largest: number): void {
  // Functions of their own, bound: V8 compiles a closure's code again after every collection of its last instance.
  const call: Receiving = { stream, headers, method, largest, chunks: [], length: 0 };
  stream.on('error', ignore);
  stream.on('data', takeChunk.bind(undefined, call));
  stream.on('end', takeEnd.bind(undefined, call));
}

interface Receiving {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly method: UnaryMethod;
  readonly largest: number;
  readonly chunks: Buffer[];
  length: number;
}

/** What fails is the connection, and 'close' follows. */
function ignore(): void {}

function takeChunk(call: Receiving, chunk: Buffer): void {
  const { stream, chunks, largest } = call;
  chunks.push(chunk);
  call.length += chunk.length;
  if (call.length <= PREFIX + largest) return;
  const first = chunks.length === 1 ? chunk : Buffer.concat(chunks, PREFIX);
  stream.removeAllListeners('data');
  stream.removeAllListeners('end');
  chunks.length = 0;
  refuse(stream, tooLarge(first));
  stream.close(NO_ERROR);
}

function takeEnd({ stream, headers, method, chunks }: Receiving): void {
  const whole = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
  const message = whole && soleMessage(whole);
  if (message === undefined) {
    refuse(stream, { code: status.INTERNAL, details: 'the request is not exactly one uncompressed message' });
    return;
  }
  void method(callOn(stream, headers, message)).then(answer.bind(undefined, stream));
}

function answer(stream: ServerHttp2Stream, given: FramedMessage | RpcError): void {
  if (stream.destroyed || stream.closed) return;
  if ('bytes' in given) reply(stream, given);
  else refuse(stream, given);
}

function soleMessage(bytes: Buffer): Buffer | undefined {
  const plain = bytes.length >= PREFIX && bytes[0] === 0 && bytes.readUInt32BE(1) === bytes.length - PREFIX;
  return plain ? bytes.subarray(PREFIX) : undefined;
}

// grpc-js's own limit where none is set: above, a client may expect its code.
const MESSAGE_LIMIT = 4 * 1024 * 1024;

function tooLarge(first: Buffer): RpcError {
  const length = first.readUInt32BE(1);
  if (length > MESSAGE_LIMIT)
    return { code: status.RESOURCE_EXHAUSTED, details: `Received message larger than max (${length} vs. ${MESSAGE_LIMIT})` };
  return { code: status.INVALID_ARGUMENT, details: 'the message is too large or malformed' };
}

const OK_HEADERS = Object.freeze({ ':status': 200, 'content-type': CONTENT_TYPE });
const OK_TRAILERS = Object.freeze({ 'grpc-status': '0', 'grpc-message': 'OK' });

const WITH_TRAILERS = Object.freeze({ waitForTrailers: true, sendDate: false });

function sendOk(this: ServerHttp2Stream): void {
  this.sendTrailers(OK_TRAILERS);
}

function reply(stream: ServerHttp2Stream, { bytes }: FramedMessage): void {
  stream.respond(OK_HEADERS, WITH_TRAILERS);
  stream.on('wantTrailers', sendOk);
  stream.end(bytes);
  // Tells node's HTTP/2 now that nothing follows, which it does by itself only once the message is written, a turn of the event loop later;
  // told again, it does nothing.
  stream._final(ignore);
}

function refuse(stream: ServerHttp2Stream, { code, details, metadata }: RpcError): void {
  if (stream.destroyed || stream.headersSent) return;
  // encodeURI throws on half a surrogate pair, which is no text either.
  const text = encodeURI(Buffer.from(details).toString());
  const trailers = { ...OK_HEADERS, 'grpc-status': String(code), 'grpc-message': text, ...metadata?.toHttp2Headers() };
  stream.respond(trailers, { endStream: true });
}

interface Connection {
  readonly peer: string;
  readonly context: ReturnType<AuthenticatedCall['getAuthContext']>;
}

const connections = new WeakMap<Http2Session, Connection>();

/** Who is at the other end, looked at once for each connection: neither address nor certificate change while it is open. */
function connectionOf(session: Http2Session): Connection {
  const known = connections.get(session);
  if (known !== undefined) return known;
  const { socket } = session;
  const { remoteAddress, remotePort } = socket;
  const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : undefined;
  // Without a certificate, node gives an empty object.
  const presented = certificate !== undefined && Object.hasOwn(certificate, 'raw') ? certificate : undefined;
  const made = {
    peer: remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`,
    context: { sslPeerCertificate: presented },
  };
  connections.set(session, made);
  return made;
}

const NOBODY: Connection = Object.freeze({ peer: 'unknown', context: Object.freeze({}) });

function callOn(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, message: Buffer): RawCall {
  const { peer, context } = stream.session === undefined ? NOBODY : connectionOf(stream.session);
  const deadline = deadlineOf(headers);
  return {
    message,
    authorization: headers.authorization === undefined ? [] : [headers.authorization],
    peer,
    patience: {
      gaveUp: () => stream.destroyed || stream.closed || performance.now() >= deadline,
      onGivingUp: (task) => void stream.once('close', task),
    },
    getAuthContext: () => context,
  };
}

function deadlineOf(headers: IncomingHttpHeaders): number {
  const timeout = headers['grpc-timeout'];
  const [, amount, unit] = (typeof timeout === 'string' ? TIMEOUT.exec(timeout) : undefined) ?? [];
  return unit === undefined ? Infinity : performance.now() + Number(amount) * (UNIT_MS[unit] ?? Infinity);
}
