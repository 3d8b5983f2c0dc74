// Trust bundles with revocation lists in the real Envoy: under roots, intermediates, several kinds of keys, and while roots rotate.
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anyUnpack, AnySchema } from '@bufbuild/protobuf/wkt';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { CertificateValidationContextSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import type { Authority } from '../../../ca/authority.ts';
import { parseSerial } from '../../../ca/revocation/revocation.ts';
import { trustResource } from '../../../xds/resources/trust.ts';
import { type Envoy, envoyOrSkip, envoyPath, startEnvoy } from '../../audit/envoy/process.ts';
import { TlsConnection } from '../../feature/tls-connection.ts';
import { NOBODY } from '../../../ca/rotation/rotation.ts';
import { must } from '../identity/must.ts';
import { certificateAuthority, writeCacerts } from '../keys/ca-files.ts';
import { mutualTlsBootstrap } from '../mutual-tls-bootstrap.ts';
import { requestPem, testKey } from '../requests.ts';
import { type World, world } from '../world.ts';

const keyPem = testKey('P-256').export({ type: 'pkcs8', format: 'pem' }).toString();

interface Leaf {
  readonly cert: string;
  readonly key: string;
  readonly serial: string;
}

describe('ca: revocation lists in the real Envoy', function () {
  this.timeout(60_000);
  let folder: string;
  let here: World;
  let envoy: Envoy | undefined;
  before(function () {
    envoyOrSkip(this);
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-crl-'));
    here = await world();
  });
  afterEach(async () => {
    await envoy?.stop();
    envoy = undefined;
    await here.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const issue = async (authority: Authority): Promise<Leaf> => {
    const issued = await authority.issue({
      csr: requestPem(),
      ttlSeconds: 600,
      authorization: [`Bearer ${await here.tokens.token()}`],
    });
    assert.ok(issued.ok, JSON.stringify(issued));
    return { cert: issued.value.certChain.slice(0, -1).join(''), key: keyPem, serial: issued.value.serial };
  };
  const revoke = async (authority: Authority, { serial }: Leaf): Promise<void> => {
    const done = await authority.revocations.revoke(
      { kind: 'serial', serial: must(parseSerial(serial)) },
      { reason: 'keyCompromise', by: 'test' },
    );
    assert.ok(done.ok);
  };
  /** The validation context that proxies are sent. */
  const context = (authority: Authority): object => {
    const crlPem = authority.revocations.crlPem();
    assert.ok(crlPem);
    const { any } = trustResource({ generation: 1, rootsPem: authority.rootCertPem, crlPem });
    const secret = anyUnpack(fromBinary(AnySchema, any), SecretSchema);
    assert.ok(secret?.type.case === 'validationContext');
    return toJson(CertificateValidationContextSchema, secret.type.value) as object;
  };
  const start = async (authority: Authority, server: Leaf): Promise<(leaf: Leaf) => Promise<string>> => {
    const bootstrap = mutualTlsBootstrap([{ name: 'in', server, validation: context(authority) }]);
    const running = await startEnvoy(envoyPath() ?? '', bootstrap, folder);
    envoy = running;
    return async (leaf) => {
      const connection = new TlsConnection('127.0.0.1', running.port('in'), leaf);
      const status = await connection.status();
      connection.close();
      return status;
    };
  };

  const root = (name: string) => certificateAuthority({ name });
  const below = (name: string, issuer: ReturnType<typeof root>) => certificateAuthority({ name, issuer });
  const chains: Readonly<Record<string, () => readonly ReturnType<typeof root>[]>> = {
    'a root of its own': () => [],
    'an intermediate': () => {
      const top = root('root');
      return [below('one', top), top];
    },
    'two intermediates': () => {
      const top = root('root');
      const middle = below('middle', top);
      return [below('one', middle), middle, top];
    },
    'an RSA root': () => [
      certificateAuthority({ name: 'rsa', algorithm: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'] }),
    ],
    'a P-384 root': () => [
      certificateAuthority({ name: 'p384', algorithm: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'] }),
    ],
  };
  for (const [title, make] of Object.entries(chains)) {
    it(`under ${title}: the revoked certificate is refused, the other is not`, async () => {
      const chain = make();
      if (chain.length > 0) writeCacerts(here.caDir, chain);
      const authority = await here.open();
      const [server, good, bad] = [await issue(authority), await issue(authority), await issue(authority)];
      await revoke(authority, bad);
      const ask = await start(authority, server);
      assert.deepEqual([await ask(good), await ask(bad)], ['200', 'refused']);
    });
  }

  it('while roots rotate: certificates of both, each with its list', async () => {
    const authority = await here.open({ settleMs: 0 });
    const [server, oldGood, oldBad] = [await issue(authority), await issue(authority), await issue(authority)];
    await revoke(authority, oldBad);
    assert.ok((await authority.rotation.prepare()).ok);
    const activated = await authority.rotation.advance(NOBODY, false);
    assert.ok(activated.ok, JSON.stringify(activated));
    const [newGood, newBad] = [await issue(authority), await issue(authority)];
    await revoke(authority, newBad);
    const ask = await start(authority, server);
    assert.deepEqual(
      [await ask(oldGood), await ask(newGood), await ask(oldBad), await ask(newBad)],
      ['200', '200', 'refused', 'refused'],
    );
  });
});
