import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { parseSpiffeId } from '../../../../ca/identity/spiffe-id.ts';
import { connect, grpcSigner } from '../../../../sds/authority/client.ts';
import { newKey, requestFor } from '../../../../sds/identity/request.ts';
import { grpcJwtAuthority } from '../../../../sds/jwt/client.ts';
import { must } from '../../identity/must.ts';
import { type World, world } from '../../world.ts';
import { type Running, serveBoth, STREAM } from './server.ts';

const never = new AbortController().signal;
const bytes = (value: Buffer) => value;

describe('ca/service: what our own agent calls for', () => {
  let here: World;
  let server: Running;
  before(async () => {
    here = await world();
  });
  after(async () => {
    server?.close();
    await here.close();
  });

  it('comes on connections of one kind of call each, so that no call is sent away to come again', async () => {
    const authority = await here.open();
    server = await serveBoth(here, authority);
    const address = { target: `127.0.0.1:${server.port}`, serverName: 'gatehouse', timeoutMs: 5000 };
    const rootsPem = authority.rootCertPem;
    const { key, csr } = await requestFor(must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart')), await newKey());
    const sign = grpcSigner(address);
    const signed = await sign({ csr, ttlSeconds: 60, rootsPem, token: await here.tokens.token() }, never);
    assert.ok(signed.kind === 'signed', signed.kind === 'failed' ? signed.reason : '');
    const client = { chainPem: signed.certChain.join(''), key };

    const connected = connect(address, { rootsPem, client });
    assert.ok(connected.kind === 'connected');
    const stream = connected.client.makeBidiStreamRequest(STREAM, bytes, bytes);
    stream.on('error', () => undefined);
    stream.write(Buffer.alloc(0));
    await once(stream, 'data');
    const jwt = grpcJwtAuthority(address);
    const calls = [
      sign({ csr, ttlSeconds: 60, rootsPem, client }, never),
      jwt.create({ audience: ['shop'], rootsPem, client }),
      sign({ csr, ttlSeconds: 60, rootsPem, client }, never),
    ];
    assert.deepEqual(
      (await Promise.all(calls)).map((answer) => (answer.kind === 'failed' ? answer.code : answer.kind)),
      ['signed', 'UNIMPLEMENTED', 'signed'],
    );
    stream.write(Buffer.alloc(0));
    await once(stream, 'data');
    stream.cancel();
    connected.client.close();
    // Five connections for five calls: certificates on three, the others with grpc-js.
    assert.deepEqual([server.seen.connections, server.protocols.length, server.seen.issued], [5, 2, 3]);
  });
});
