import { strict as assert } from 'node:assert';
import { createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import { parseKey } from '../../../ca/csr/keys.ts';
import { members, soleElement } from '../../../ca/der/read.ts';
import { bitString, sequence } from '../../../ca/der/write.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import type { KeyType } from '../../../ca/key-store/key-type.ts';
import { generateKey } from '../../../ca/key-store/key-type.ts';
import { memorySigner } from '../../../ca/key-store/signer.ts';
import { createRoot } from '../../../ca/root/create.ts';
import { signCertificate } from '../../../ca/sign/build.ts';
import { type Issuer, issuerOf } from '../../../ca/sign/issuer.ts';
import { type CertificateNames, printedNames } from '../../../ca/sign/names.ts';
import { newSerial } from '../../../ca/sign/serial.ts';
import { validity } from '../../../ca/sign/validity.ts';
import type { Intended } from '../../../ca/validate/intended.ts';
import { readBack } from '../../../ca/validate/read-back.ts';
import { releaseCheck } from '../../../ca/validate/release.ts';
import { must } from '../identity/must.ts';
import { TD } from '../world.ts';
import { allNodes, parseTree, writeTree } from './der-tree.ts';

const NOW = new Date('2026-06-15T12:00:00Z');
const SEED = 20_261_121;
const RUNS = 1_500;

type Named = 'workload' | 'workload with DNS names' | 'server';

const NAMES: Readonly<Record<Named, CertificateNames>> = {
  workload: { kind: 'workload', spiffeId: must(parseSpiffeId(`spiffe://${TD}/ns/shop/sa/cart`)) },
  'workload with DNS names': {
    kind: 'workload',
    spiffeId: must(parseSpiffeId(`spiffe://${TD}/ns/shop/sa/cart`)),
    dnsNames: ['cart.shop.svc', 'cart'],
  },
  server: { kind: 'server', dnsNames: ['gatehouse', 'localhost'], addresses: [Uint8Array.of(127, 0, 0, 1)] },
};

interface Made {
  readonly issuer: Issuer;
  readonly intended: Intended;
  readonly der: Buffer;
  readonly tbs: Uint8Array;
}

async function make(issuerType: KeyType, leafType: KeyType, kind: Named): Promise<Made> {
  const { certificatePem, key: rootKey } = await createRoot(TD, NOW, issuerType);
  const issuer = must(issuerOf(new X509Certificate(certificatePem), must(memorySigner(rootKey))));
  const leaf = createPublicKey(await generateKey(leafType));
  const key = must(parseKey(leaf.export({ type: 'spki', format: 'der' })));
  const valid = validity(NOW, 3600, issuer.validity);
  assert.ok(valid);
  const serial = newSerial(randomBytes);
  const names = NAMES[kind];
  const der = await signCertificate({ serial, names, key, validity: valid }, issuer);
  const [tbs] = members(soleElement(der)) ?? [];
  assert.ok(tbs);
  const subjectAltName = printedNames(names);
  const intended = { serial: Buffer.from(serial).toString('hex'), subjectAltName, key, validity: valid, longestSeconds: 3600 };
  return { issuer, intended, der, tbs: tbs.raw };
}

/** The issuer itself signs what was changed: the signature is good, so only the content can give it away. */
function signed(tbs: Uint8Array, { issuer }: Made): Buffer {
  const signature = issuer.sign(tbs);
  assert.ok(!(signature instanceof Promise));
  return sequence(tbs, issuer.algorithm, bitString(signature));
}

/** What the byte reader or OpenSSL finds. */
function fault(der: Uint8Array, { intended, issuer }: Made): string | undefined {
  const found = readBack(der, intended, issuer, NOW);
  return found ?? releaseCheck()(der, intended, issuer, NOW);
}

/** The byte reader must be enough: OpenSSL sees samples only. */
const alone = (der: Uint8Array, { intended, issuer }: Made): string | undefined => readBack(der, intended, issuer, NOW);

/** One change somewhere in the tree, whose lengths are then right again. */
const CHANGES = fc.record({
  at: fc.nat(10_000),
  kind: fc.constantFrom('remove', 'repeat', 'swap', 'tag', 'byte', 'longer', 'shorter', 'empty', 'move'),
  a: fc.nat(255),
  b: fc.nat(10_000),
});

function changedTree(tbs: Uint8Array, { at, kind, a, b }: { at: number; kind: string; a: number; b: number }): Buffer {
  const root = parseTree(tbs);
  const nodes = allNodes(root);
  const { node, siblings } = nodes[at % nodes.length] ?? { node: root, siblings: [] };
  const index = siblings.indexOf(node);
  const value = Buffer.from(node.value);
  switch (kind) {
    case 'remove':
      siblings.splice(index, 1);
      break;
    case 'repeat':
      siblings.splice(index, 0, node);
      break;
    case 'swap':
      siblings.splice(index, 1);
      siblings.push(node);
      break;
    case 'move': {
      const other = nodes[b % nodes.length];
      siblings.splice(index, 1);
      other?.siblings.push(node);
      break;
    }
    case 'tag':
      node.tag = a & 0x1f ? a & 0xff : 0x05;
      break;
    default:
      node.children = undefined;
      if (kind === 'byte') value[b % Math.max(value.length, 1)] = a;
      node.value =
        kind === 'longer'
          ? Buffer.concat([value, Buffer.of(a)])
          : kind === 'shorter'
            ? value.subarray(1)
            : kind === 'empty'
              ? Buffer.alloc(0)
              : value;
  }
  return siblings[0] === undefined && siblings === nodes[0]?.siblings ? Buffer.from('3000', 'hex') : writeTree(root);
}

describe('ca: only exactly what was meant is released', function () {
  this.timeout(60_000);
  const cases: readonly [KeyType, KeyType, Named][] = [
    ['ec-p256', 'ec-p256', 'workload'],
    ['ed25519', 'rsa-2048', 'workload'],
    ['rsa-2048', 'ed25519', 'workload'],
    ['ec-p384', 'ec-p384', 'workload'],
    ['ec-p256', 'ec-p256', 'server'],
    ['ec-p256', 'ec-p256', 'workload with DNS names'],
  ];
  for (const [issuerType, leafType, kind] of cases)
    describe(`${kind}: a key of the type ${leafType} under ${issuerType}`, () => {
      let made: Made;
      before(async () => (made = await make(issuerType, leafType, kind)));
      // Signing with RSA takes long.
      const numRuns = issuerType === 'rsa-2048' ? RUNS / 5 : RUNS;

      it('passes as it was made', () => assert.equal(fault(made.der, made), undefined));

      it('is refused with any change in its structure, though the issuer signed it', () =>
        fc.assert(
          fc.property(CHANGES, (change) => {
            const tbs = changedTree(made.tbs, change);
            fc.pre(!tbs.equals(made.tbs));
            assert.notEqual(alone(signed(tbs, made), made), undefined);
          }),
          { seed: SEED, numRuns },
        ));

      it('is refused with any byte changed, added or left out, though the issuer signed it', () =>
        fc.assert(
          fc.property(fc.nat(made.tbs.length - 1), fc.nat(255), fc.constantFrom('set', 'add', 'drop'), (at, byte, how) => {
            const tbs = Buffer.from(made.tbs);
            const rest = tbs.subarray(how === 'add' ? at : at + 1);
            const changed = Buffer.concat([tbs.subarray(0, at), how === 'drop' ? Buffer.alloc(0) : Buffer.of(byte), rest]);
            fc.pre(!changed.equals(tbs));
            assert.notEqual(alone(signed(changed, made), made), undefined);
          }),
          { seed: SEED, numRuns },
        ));

      it('is refused with any byte of the whole changed', () =>
        fc.assert(
          fc.property(fc.nat(made.der.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
            const der = Buffer.from(made.der);
            der[at] = (der[at] ?? 0) ^ flip;
            assert.notEqual(alone(der, made), undefined);
          }),
          { seed: SEED, numRuns },
        ));

      it('is refused with other spellings of its times', () => {
        const text = Buffer.from(made.tbs).toString('latin1');
        const spellings = [
          ['260615130000Z', '260546130000Z'],
          ['260615130000Z', '260615126000Z'],
          ['260615130000Z', '251815130000Z'],
          ['260615130000Z', '260614370000Z'],
          ['260615115800Z', '260615117880Z'],
        ] as const;
        let seen = 0;
        for (const [from, to] of spellings) {
          if (!text.includes(from)) continue;
          seen += 1;
          assert.notEqual(alone(signed(Buffer.from(text.replace(from, to), 'latin1'), made), made), undefined, to);
        }
        assert.equal(seen, spellings.length);
      });
    });
});
