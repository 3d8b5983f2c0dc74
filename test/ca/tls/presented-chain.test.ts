import { strict as assert } from 'node:assert';
import { connect } from 'node:tls';
import { presentedChain } from '../../../ca/tls/presented-chain.ts';
import { serve } from '../service/client.ts';
import { world } from '../world.ts';

describe('ca/tls: what the server presents', () => {
  it('is its certificate with the root that issued it, of several with the same name, so that OpenSSL looks for nothing', async () => {
    const [one, other] = [await world(), await world()];
    try {
      const [mine, another] = [await one.open(), await other.open()];
      const tls = await mine.serverCredentials({ dnsNames: ['gatehouse'] });
      const leaf = tls.current().chainPem;
      assert.equal(presentedChain(leaf, `${another.rootCertPem}${mine.rootCertPem}`), `${leaf}${mine.rootCertPem}`);
      assert.equal(tls.context().cert, `${leaf}${mine.rootCertPem}`);
      // An issuer that is not trusted here is nobody's to present, and intermediates are a chain already.
      assert.equal(presentedChain(leaf, another.rootCertPem), leaf);
      assert.equal(presentedChain(`${leaf}${another.rootCertPem}`, mine.rootCertPem), `${leaf}${another.rootCertPem}`);
    } finally {
      await one.close();
      await other.close();
    }
  });

  it('reaches clients as a whole', async () => {
    const here = await world();
    const authority = await here.open();
    const service = await serve(here, authority);
    try {
      const issuer = await new Promise<string>((resolve, reject) => {
        const options = { host: '127.0.0.1', port: service.port, servername: 'gatehouse', ALPNProtocols: ['h2'] };
        const socket = connect({ ...options, ca: authority.rootCertPem }, () => {
          resolve(socket.getPeerCertificate(true).issuerCertificate.raw.toString('base64'));
          socket.destroy();
        });
        socket.once('error', reject);
      });
      assert.equal(issuer, authority.rootCertPem.replaceAll(/-----[A-Z ]+-----|\s/g, ''));
    } finally {
      service.close();
      await here.close();
    }
  });
});
