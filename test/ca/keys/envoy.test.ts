// Which keys the real Envoy (BoringSSL) takes: as its own certificate, of its callers, and of the root above.
import { strict as assert } from 'node:assert';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Authority } from '../../../ca/authority.ts';
import type { KeyType } from '../../../ca/key-store/key-type.ts';
import { type Envoy, envoyOrSkip, envoyPath, startEnvoy } from '../../audit/envoy/process.ts';
import { TlsConnection } from '../../feature/tls-connection.ts';
import { mutualTlsBootstrap } from '../mutual-tls-bootstrap.ts';
import { requestPem } from '../requests.ts';
import { type World, world } from '../world.ts';

interface Leaf {
  readonly cert: string;
  readonly key: string;
}

const LEAVES: Readonly<Record<string, () => KeyObject>> = {
  'ec-p256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'ec-p384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  'rsa-2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  'rsa-3072': () => generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey,
  'rsa-4096': () => generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey,
  ed25519: () => generateKeyPairSync('ed25519').privateKey,
};
const ROOTS: readonly KeyType[] = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ed25519'];
const TYPES = Object.keys(LEAVES);

describe('ca/keys: key types in the real Envoy', function () {
  this.timeout(120_000);
  const keys = new Map<string, KeyObject>();
  let here: World;
  let envoy: Envoy | undefined;
  before(function () {
    envoyOrSkip(this);
    for (const [type, make] of Object.entries(LEAVES)) keys.set(type, make());
  });
  beforeEach(async () => {
    here = await world();
  });
  afterEach(async () => {
    await envoy?.stop();
    envoy = undefined;
    await here.close();
  });

  const issue = async (authority: Authority, type: string): Promise<Leaf> => {
    const key = keys.get(type);
    assert.ok(key);
    const made = await authority.issue({
      csr: requestPem({ key }),
      ttlSeconds: 600,
      authorization: [`Bearer ${await here.tokens.token()}`],
    });
    assert.ok(made.ok, made.ok ? '' : made.refusal.reason);
    return {
      cert: made.value.certChain.slice(0, -1).join('') || (made.value.certChain[0] ?? ''),
      key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  };

  for (const root of ROOTS)
    it(`under a root of the type ${root}: any leaf as server, any but Ed25519 as caller`, async () => {
      const authority = await here.open({ key: { type: root } });
      const leaves = new Map<string, Leaf>();
      for (const type of TYPES) leaves.set(type, await issue(authority, type));
      const servers = TYPES.flatMap((type) => {
        const leaf = leaves.get(type);
        return leaf === undefined
          ? []
          : [{ name: type, server: leaf, validation: { trusted_ca: { inline_string: authority.rootCertPem } } }];
      });
      const running = await startEnvoy(envoyPath() ?? '', mutualTlsBootstrap(servers), here.dir);
      envoy = running;
      const results: Record<string, string> = {};
      for (const server of TYPES)
        for (const [caller, leaf] of leaves) {
          const connection = new TlsConnection('127.0.0.1', running.port(server), leaf);
          results[`${caller} -> ${server}`] = await connection.status();
          connection.close();
        }
      // BoringSSL has Ed25519 for its own certificates, but does not offer it for those of others unless told to.
      const expected = Object.fromEntries(
        TYPES.flatMap((server) =>
          [...leaves.keys()].map((caller) => [`${caller} -> ${server}`, caller === 'ed25519' ? 'refused' : '200']),
        ),
      );
      assert.deepEqual(results, expected);
    });
});
