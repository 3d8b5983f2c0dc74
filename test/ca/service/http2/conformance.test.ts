import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { serveSocket } from '../../../../ca/service/http2/socket.ts';
import { findTool } from '../../../tools/find.ts';
import { type BodyProxy, bodyProxy } from './body-proxy.ts';
import { runH2spec, withOutcome } from './h2spec.ts';
import { message } from './raw-fields.ts';
import { tlsIdentity } from './tls-identity.ts';

/** Cases that want DATA in the answer, held back by a window. h2spec asks with an empty GET, to which a gRPC server has an error at once. */
const LOOK_AT_DATA = ['http2/5.1.2', 'generic/2', 'http2/6.5.3', 'http2/6.9.1', 'http2/6.9.2'];
const FAIL_WITHOUT_DATA = [
  'http2/5.1.2 Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded',
  'generic/2 Sends a WINDOW_UPDATE frame on half-closed (remote) stream',
  'generic/2 Sends a PRIORITY frame on half-closed (remote) stream',
];
const SKIPPED_WITHOUT_DATA = [
  'http2/6.5.3 Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE',
  'http2/6.9.1 Sends SETTINGS frame to set the initial window size to 1 and sends HEADERS frame',
  'http2/6.9.2 Changes SETTINGS_INITIAL_WINDOW_SIZE after sending HEADERS frame',
  'http2/6.9.2 Sends a SETTINGS frame for window size to be negative',
];
const [CASES, CASES_WITH_DATA] = [146, 14];
const PATH = '/test.Service/Method';

const ANSWER = message(Buffer.from('an answer of more than five bytes'));

describe('ca/service/http2: conformance to RFC 9113 and RFC 7541 by h2spec', () => {
  let program = '';
  let server: Server | undefined;
  let proxy: BodyProxy | undefined;
  let port = 0;
  const sockets = new Set<TLSSocket>();

  before(async function () {
    this.timeout(600_000);
    const found = findTool('h2spec');
    if (found === undefined) return this.skip();
    program = found;
    server = createServer({ ...(await tlsIdentity()), ALPNProtocols: ['h2'] }, (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      // Every call is answered by our own code, whatever it asks for, and no connection is for anybody else.
      serveSocket(socket, {
        method: () => Promise.resolve({ bytes: ANSWER }),
        isOurs: () => true,
        largest: 100_000,
        concurrentStreams: 100,
        clock: () => performance.now(),
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
    proxy = await bodyProxy(port, message(Buffer.alloc(0)));
  });
  after(() => {
    proxy?.close();
    for (const socket of sockets) socket.destroy();
    server?.close();
  });

  it('holds in every case', async function () {
    this.timeout(400_000);
    const cases = await runH2spec(program, { port, tls: true, path: PATH });
    assert.equal(cases.length, CASES);
    const others = cases.filter(({ section, name }) => !FAIL_WITHOUT_DATA.includes(`${section} ${name}`));
    assert.deepEqual(withOutcome(others, 'failed'), []);
    assert.deepEqual(withOutcome(cases, 'skipped'), SKIPPED_WITHOUT_DATA);
  });

  it('holds where answers have a message', async function () {
    this.timeout(60_000);
    const cases = await runH2spec(program, { port: proxy?.port ?? 0, path: PATH, sections: LOOK_AT_DATA });
    assert.equal(cases.length, CASES_WITH_DATA);
    assert.deepEqual(withOutcome(cases, 'failed'), []);
    assert.deepEqual(withOutcome(cases, 'skipped'), []);
  });
});
