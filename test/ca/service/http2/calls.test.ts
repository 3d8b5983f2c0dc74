import { strict as assert } from 'node:assert';
import { connect, type ClientHttp2Session, constants } from 'node:http2';
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { Server, status } from '@grpc/grpc-js';
import type { UnaryMethod } from '../../../../ca/service/http2/unary.ts';
import { grpcListener, type Listener } from '../../../../ca/service/http2/listener.ts';
import { isPlain } from '../../../../ca/service/http2/stream.ts';
import { systemEvery } from '../../../../ca/tls/credentials.ts';
import { eventually } from '../../../eventually.ts';
import { tlsIdentity } from './tls-identity.ts';

const identity = await tlsIdentity();
const PATH = '/test.Service/Method';
const LARGEST = 1000;

interface Answered {
  readonly status: number;
  readonly message: string;
  readonly body: Buffer;
}

/** The five bytes before a gRPC message. */
function framed(message: Buffer, flag = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5, flag);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

async function call(session: ClientHttp2Session, body: Buffer, headers: Record<string, string> = {}): Promise<Answered> {
  const sent = { ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers', ...headers };
  const stream = session.request(sent);
  const found: Record<string, unknown> = {};
  const chunks: Buffer[] = [];
  stream.on('response', (received) => Object.assign(found, received));
  stream.on('trailers', (received) => Object.assign(found, received));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => undefined);
  stream.end(body);
  await once(stream, 'close');
  const text = (name: string) => (typeof found[name] === 'string' ? found[name] : '');
  return { status: Number(text('grpc-status') || '-1'), message: decodeURI(text('grpc-message')), body: Buffer.concat(chunks) };
}

describe('ca/service: unary calls on HTTP/2 connections of our own', () => {
  let server: Server;
  let listener: Listener;
  let port: number;
  let session: ClientHttp2Session;
  let method: UnaryMethod;

  beforeEach(async () => {
    // Nothing is registered with grpc-js, so whatever is answered was ours; what it gets is UNIMPLEMENTED.
    server = new Server({ 'grpc.enable_channelz': 0 });
    method = (raw) => Promise.resolve({ bytes: framed(Buffer.concat([raw.message, Buffer.from('!')])) });
    listener = grpcListener({
      tls: { context: () => identity, onChange: () => () => undefined },
      server,
      calls: { method: (raw) => method(raw), isOurs: (head) => head.path === PATH && isPlain(head), largest: LARGEST },
      concurrentStreams: 100,
      every: systemEvery,
    });
    port = await listener.listen('127.0.0.1', 0);
    session = open();
  });
  afterEach(() => {
    session.destroy();
    listener.close();
    server.forceShutdown();
  });

  function open(): ClientHttp2Session {
    const made = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    made.on('error', () => undefined);
    return made;
  }

  it('answers a message, also one that comes in pieces', async () => {
    assert.deepEqual(await call(session, framed(Buffer.from('hello'))), {
      status: status.OK,
      message: 'OK',
      body: framed(Buffer.from('hello!')),
    });
    const stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc+proto' });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    for (const byte of framed(Buffer.from('slow'))) stream.write(Buffer.of(byte));
    stream.end();
    await once(stream, 'close');
    assert.deepEqual(Buffer.concat(chunks), framed(Buffer.from('slow!')));
  });

  it('answers in full and with its status where the answer is larger than the windows of the connection', async () => {
    const large = Buffer.alloc(1_000_000, 'x');
    method = () => Promise.resolve({ bytes: framed(large) });
    const answered = await Promise.all(Array.from({ length: 3 }, () => call(session, framed(Buffer.alloc(1)))));
    for (const { status: code, body } of answered)
      assert.deepEqual([code, body.length, body.equals(framed(large))], [status.OK, large.length + 5, true]);
  });

  it('tells the method who calls, with what token', async () => {
    method = (raw) =>
      Promise.resolve({ bytes: framed(Buffer.from(JSON.stringify([raw.authorization, raw.peer, raw.getAuthContext()]))) });
    const { body } = await call(session, framed(Buffer.alloc(0)), { authorization: 'Bearer x' });
    assert.match(body.toString('utf8', 5), /^\[\["Bearer x"\],"127\.0\.0\.1:\d+",\{\}\]$/);
  });

  it('gives an error with its text, whatever is in it', async () => {
    method = () => Promise.resolve({ code: status.PERMISSION_DENIED, details: '100 % no: ü, "x"\n' });
    const { status: code, message } = await call(session, framed(Buffer.alloc(1)));
    assert.deepEqual([code, message], [status.PERMISSION_DENIED, '100 % no: ü, "x"\n']);
  });

  it('refuses what is not exactly one message, and one that is too large before it is there', async () => {
    const one = framed(Buffer.from('x'));
    for (const body of [
      Buffer.alloc(0),
      one.subarray(0, 4),
      Buffer.concat([one, one]),
      framed(Buffer.from('x'), 1),
      framed(one, 0, 3),
    ])
      assert.equal((await call(session, body)).status, status.INTERNAL);
    assert.equal((await call(session, framed(Buffer.alloc(LARGEST + 1)))).status, status.INVALID_ARGUMENT);
    assert.equal((await call(session, framed(Buffer.alloc(LARGEST + 1), 0, 0xffffffff))).status, status.RESOURCE_EXHAUSTED);
    assert.equal((await call(session, framed(Buffer.alloc(LARGEST)))).status, status.OK);
  });

  it('leaves other methods, compressed messages and malformed deadlines to grpc-js', async () => {
    const body = framed(Buffer.from('x'));
    const others: Record<string, string>[] = [
      { ':path': '/test.Service/Other' },
      { 'grpc-encoding': 'gzip' },
      { 'grpc-timeout': '1y' },
    ];
    for (const headers of others) {
      const own = open();
      const { status: code, message } = await call(own, body, headers);
      assert.equal(code, status.UNIMPLEMENTED, message);
      // The connection is grpc-js's for good.
      assert.equal((await call(own, body)).status, status.UNIMPLEMENTED);
      own.destroy();
    }
  });

  it('resumes no session: each connection shows its certificate anew', async () => {
    const tls = { host: '127.0.0.1', port, rejectUnauthorized: false, minVersion: 'TLSv1.3', ALPNProtocols: ['h2'] } as const;
    const first = connectTls(tls);
    let kept: Buffer | undefined;
    first.on('session', (one: Buffer) => (kept = one));
    first.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    first.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    // What the server says comes behind everything that belongs to the session.
    await once(first, 'data');
    first.destroy();
    const again = connectTls({ ...tls, ...(kept && { session: kept }) });
    await once(again, 'secureConnect');
    assert.equal(again.isSessionReused(), false);
    again.destroy();
  });

  it('sends other calls away from a connection that began with ours, and ends what is at work', async () => {
    let answer = (): void => undefined;
    method = () => new Promise((resolve) => (answer = () => resolve({ bytes: framed(Buffer.from('late')) })));
    const [before, goneAway] = [answer, once(session, 'goaway')];
    const first = call(session, framed(Buffer.from('x')));
    await eventually('the first call has come', () => answer !== before || undefined);
    const other = session.request({ ':method': 'POST', ':path': '/test.Service/Other', 'content-type': 'application/grpc' });
    const refused = once(other, 'error');
    other.end(framed(Buffer.from('x')));
    const [code, last] = await goneAway;
    assert.deepEqual([code, last], [constants.NGHTTP2_NO_ERROR, 1]);
    const [error] = await refused;
    assert.match(String(error), /NGHTTP2_REFUSED_STREAM/);
    answer();
    assert.deepEqual((await first).body, framed(Buffer.from('late')));
    await eventually('the connection has ended', () => session.destroyed || undefined);
  });

  it('knows when the caller gave up, by itself or by its deadline', async () => {
    let gone: () => boolean = () => false;
    let [told, answer]: [boolean, () => void] = [false, () => undefined];
    method = (raw) => {
      gone = raw.patience.gaveUp;
      raw.patience.onGivingUp(() => (told = true));
      return new Promise((resolve) => (answer = () => resolve({ bytes: framed(Buffer.alloc(1)) })));
    };
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      'grpc-timeout': '1H',
    });
    stream.on('error', () => undefined);
    stream.end(framed(Buffer.alloc(1)));
    const before = gone;
    await eventually('the call has come', () => gone !== before || undefined);
    assert.deepEqual([gone(), told], [false, false]);
    stream.close(constants.NGHTTP2_CANCEL);
    await eventually('the end of the call is seen', () => (told && gone()) || undefined);
    // An answer that comes too late goes nowhere, and harms nothing.
    answer();
    const late = session.request({ ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', 'grpc-timeout': '1n' });
    late.on('error', () => undefined);
    const last = gone;
    late.end(framed(Buffer.alloc(1)));
    await eventually('the late call has come', () => gone !== last || undefined);
    assert.ok(gone());
    answer();
  });
});
