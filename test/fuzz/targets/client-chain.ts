import { strict as assert } from 'node:assert';
import { createPrivateKey, hash, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { members, soleElement } from '../../../ca/der/read.ts';
import { bitString, sequence } from '../../../ca/der/write.ts';
import { type Kind, requestPem, testKey } from '../../ca/requests.ts';
import { account, world } from '../../ca/world.ts';
import { mutate } from '../mutate.ts';
import { oneOf, type Random } from '../random.ts';
import type { Target } from '../target.ts';

const KINDS: readonly Kind[] = ['P-256', 'Ed25519', 'RSA-2048'];

/** Client certificates as TLS hands them over: any bytes, half of them signed by the authority itself. */
export async function clientChainTarget(): Promise<Target> {
  const here = await world();
  const authority = await here.open();
  const token = await here.tokens.token({ sub: account('shop', 'cart') });
  const issued = await Promise.all(
    KINDS.map(async (kind) => {
      const answer = await authority.issue({
        csr: requestPem({ key: testKey(kind) }),
        ttlSeconds: 3600,
        authorization: [`Bearer ${token}`],
      });
      assert.ok(answer.ok);
      return new X509Certificate(answer.value.certChain[0] ?? '').raw;
    }),
  );
  const root = new X509Certificate(authority.rootCertPem);
  const seeds = [...issued, root.raw];
  const parts = seeds.map((der) => (members(soleElement(der)) ?? []).map(({ raw }) => Buffer.from(raw)));
  const key = createPrivateKey(readFileSync(join(here.caDir, 'ca-key.pem')));

  const input = (random: Random): Buffer => {
    if (random() < 0.02) return oneOf(random, issued);
    if (random() < 0.5) return mutate(seeds, random);
    const [tbs = Buffer.alloc(0), algorithm = Buffer.alloc(0)] = oneOf(random, parts);
    const changed = mutate([tbs], random);
    return changed.length > 60_000 ? changed : sequence(changed, algorithm, bitString(sign('sha256', changed, key)));
  };
  return {
    name: 'client-chain',
    run(random, told) {
      const raw = input(random);
      told(raw);
      const peer = authority.peerOf({
        getAuthContext: () => ({ sslPeerCertificate: { raw, fingerprint256: hash('sha256', raw) } }),
      });
      if (!peer.ok) {
        assert.ok(peer.reason.length < 500);
        return Promise.resolve('refused' as const);
      }
      const leaf = new X509Certificate(raw);
      assert.equal(leaf.ca, false);
      assert.ok(leaf.verify(root.publicKey), 'a certificate that the authority did not sign');
      assert.deepEqual(
        (leaf.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:')),
        [`URI:${peer.value}`],
      );
      // By their texts: node:crypto makes dates of malformed times from whatever memory held.
      assert.ok(
        Date.parse(leaf.validFrom) <= Date.now() && Date.parse(leaf.validTo) > Date.now(),
        `${leaf.validFrom} to ${leaf.validTo}`,
      );
      return Promise.resolve('accepted' as const);
    },
    close: () => here.close(),
  };
}
