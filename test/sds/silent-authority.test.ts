import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { grpcSigner } from '../../sds/authority/client.ts';
import { selfSignedRoot } from './authority.ts';
import { surviveResets } from '../survive-resets.ts';

describe('sds: an authority that takes the call and never answers', () => {
  let server: Server;
  const sockets: Socket[] = [];
  let target: string;
  before(async () => {
    server = surviveResets(createServer((socket) => sockets.push(socket)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    target = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('is said to have not answered, and after how long', async () => {
    const { certificate } = await selfSignedRoot();
    const sign = grpcSigner({ target, serverName: 'gatehouse', timeoutMs: 600 });
    const call = { csr: '', ttlSeconds: 60, rootsPem: certificate.toString('pem'), token: 'a.b.c' };
    assert.deepEqual(await sign(call, new AbortController().signal), {
      kind: 'failed',
      code: 'DEADLINE_EXCEEDED',
      reason: 'the authority did not answer within 0.6 s',
    });
  });
});
