import { strict as assert } from 'node:assert';
import { createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { toPem } from '../../../ca/der/pem.ts';
import { members, soleElement } from '../../../ca/der/read.ts';
import { bitString, sequence } from '../../../ca/der/write.ts';
import { extension, type Kind, requestDer, testKey } from '../../ca/requests.ts';
import { world } from '../../ca/world.ts';
import { mutate } from '../mutate.ts';
import { below, oneOf, type Random } from '../random.ts';
import type { Target } from '../target.ts';

const CART = 'spiffe://cluster.local/ns/shop/sa/cart';
const KINDS: readonly Kind[] = ['P-256', 'P-384', 'Ed25519', 'RSA-2048'];

interface Seed {
  readonly key: KeyObject;
  readonly der: Buffer;
  /** CertificationRequestInfo, which is what is signed. */
  readonly info: Buffer;
  readonly algorithm: Buffer;
}

function seedOf(key: KeyObject, der: Buffer): Seed {
  const [info, algorithm] = members(soleElement(der)) ?? [];
  assert.ok(info !== undefined && algorithm !== undefined);
  return { key, der, info: Buffer.from(info.raw), algorithm: Buffer.from(algorithm.raw) };
}

/** Certificate requests through the whole authority, with a good token: parser, signature, names, signing, its own check. */
export async function requestTarget(): Promise<Target> {
  const here = await world();
  const authority = await here.open();
  const authorization = [`Bearer ${await here.tokens.token()}`];
  const usage = extension('551d0f', Buffer.from('030205a0', 'hex'), true);
  const seeds = KINDS.flatMap((kind) => {
    const key = testKey(kind);
    return [{}, { uris: [CART] }, { uris: [CART], extensions: [usage] }].map((parts) =>
      seedOf(key, requestDer({ key, ...parts })),
    );
  });
  const ders = seeds.map(({ der }) => der);
  const pems = ders.map((der) => Buffer.from(toPem('CERTIFICATE REQUEST', der)));

  /** A third with a signature that is right whatever the content, or the mutations would never get past it. */
  const input = (random: Random): string | Buffer => {
    const way = below(random, 10);
    if (way < 3) return mutate(ders, random);
    if (way < 5) return mutate(pems, random).toString('latin1');
    const { key, info, algorithm } = oneOf(random, seeds);
    const changed = random() < 0.05 ? info : mutate([info], random);
    if (changed.length > 60_000) return changed;
    const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return sequence(changed, algorithm, bitString(sign(digest, changed, key)));
  };
  return {
    name: 'request',
    async run(random, told) {
      const csr = input(random);
      told(csr);
      const answer = await authority.issue({ csr, ttlSeconds: below(random, 100_000), authorization });
      if (!answer.ok) {
        assert.ok(
          answer.refusal.code === 'invalid' || answer.refusal.code === 'forbidden',
          `${answer.refusal.code}: ${answer.refusal.reason}`,
        );
        return 'refused';
      }
      const leaf = new X509Certificate(answer.value.certChain[0] ?? '');
      assert.equal(leaf.subjectAltName, `URI:${CART}`);
      assert.equal(leaf.ca, false);
      assert.ok(leaf.verify(createPublicKey(authority.rootCertPem)));
      assert.ok(
        seeds.some(({ key }) => createPublicKey(key).equals(leaf.publicKey)),
        'a certificate for a key that signed nothing',
      );
      return 'accepted';
    },
    close: () => here.close(),
  };
}
