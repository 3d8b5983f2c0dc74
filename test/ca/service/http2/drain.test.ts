import { strict as assert } from 'node:assert';
import { Server } from '@grpc/grpc-js';
import { grpcListener } from '../../../../ca/service/http2/listener.ts';
import { isPlain } from '../../../../ca/service/http2/stream.ts';
import { dataOf, headersOf, PATH } from './bare-connection.ts';
import { RawClient } from './raw-client.ts';
import { TYPE } from './raw-frame.ts';
import { message } from './raw-fields.ts';
import { tlsIdentity } from './tls-identity.ts';

const identity = await tlsIdentity();

describe('ca/service/http2: a listener that goes away', () => {
  for (const [when, first] of [
    ['before its first call', Buffer.alloc(0)],
    ['while its call for others is held', headersOf(1, '/test.Service/Other')],
  ] as const)
    it(`tells a client so ${when}, and takes no call that comes after`, async () => {
      let calls = 0;
      const server = new Server({ 'grpc.enable_channelz': 0 });
      const listener = grpcListener({
        tls: { context: () => identity, onChange: () => () => undefined },
        server,
        calls: {
          method: () => {
            calls++;
            return Promise.resolve({ bytes: message(Buffer.from('x')) });
          },
          isOurs: (head) => head.path === PATH && isPlain(head),
          largest: 100,
        },
        concurrentStreams: 10,
        every: () => () => undefined,
      });
      const client = await RawClient.start(await listener.listen('127.0.0.1', 0));
      try {
        assert.ok(await client.frame(({ type }) => type === TYPE.SETTINGS));
        client.bytes(first);
        assert.ok(await client.dealtWith());
        const drained = listener.drain();
        assert.equal(await client.endedWith(), 'NO_ERROR');
        await client.bytesTaken(Buffer.concat([headersOf(3), dataOf(3, 'x')]));
        client.halfClose();
        await drained;
        assert.equal(calls, 0);
      } finally {
        client.close();
        listener.close();
        server.forceShutdown();
      }
    });
});
