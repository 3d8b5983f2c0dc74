import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { type RealWorld, realWorld } from '../sds/real-control-plane.ts';

const PATH = '/istio.v1.auth.IstioCertificateService/CreateCertificate';

describe('gatehouse serve: its end', function () {
  this.timeout(60_000);
  let world: RealWorld | undefined;
  afterEach(() => world?.stop());

  it('is not held up by a caller who never ends its request', async () => {
    world = await realWorld('1h');
    const session = connect(`https://${world.ready.grpc}`, { ca: readFileSync(world.ready.rootCert), servername: 'gatehouse' });
    session.on('error', () => undefined);
    const stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc' });
    stream.on('error', () => undefined);
    stream.write(Buffer.of(0, 0, 0, 1, 0));
    await once(session, 'remoteSettings');
    const closed = new Promise((resolve) => session.once('close', resolve));
    const began = performance.now();
    await world.endControlPlane();
    assert.ok(performance.now() - began < 20_000);
    await closed;
  });
});
