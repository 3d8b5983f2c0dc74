import { strict as assert } from 'node:assert';
import { createPublicKey, randomBytes } from 'node:crypto';
import { certifier } from '../../ca/certify.ts';
import { parseKey } from '../../ca/csr/keys.ts';
import { parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { LogRecord } from '../../ca/log/record.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { loadRoot, type Root } from '../../ca/root/load.ts';
import type { Issuer } from '../../ca/sign/issuer.ts';
import { must } from './identity/must.ts';
import { testKey } from './requests.ts';
import { type World, world } from './world.ts';

describe('ca: what leaves the authority', () => {
  let here: World;
  let root: Root;
  let records: LogRecord[];
  before(async () => {
    here = await world();
    await (await here.open()).close();
    root = await loadRoot(folderAt(here.caDir));
  });
  after(() => here.close());
  beforeEach(() => (records = []));

  const certify = (changes: Partial<Issuer>, commit?: () => Promise<void>) =>
    certifier({
      root: () => ({ ...root, issuer: { ...root.issuer, ...changes } }),
      bundlePem: () => root.rootCertPem,
      lifetimes: { maxSeconds: 3600, defaultSeconds: 3600 },
      issuanceLog: {
        commit: commit ?? ((record) => Promise.resolve(void records.push(record))),
        note: (record) => void records.push(record),
        close: () => Promise.resolve(),
      },
      clock: () => new Date(),
      random: randomBytes,
    })({
      names: { kind: 'workload', spiffeId: must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart')) },
      key: must(parseKey(createPublicKey(testKey('P-256')).export({ type: 'spki', format: 'der' }))),
      ttlSeconds: 60,
      evidence: { kind: 'self', subject: 'test' },
    });
  const kinds = () => records.map(({ kind }) => kind);

  it('is logged before and after', async () => {
    assert.ok((await certify({})).ok);
    assert.deepEqual(kinds(), ['intent', 'issued']);
  });

  it('is never a certificate whose signature is wrong: it is withheld, and the log says so', async () => {
    const spoilt = (bytes: Uint8Array) => root.issuer.sign(Buffer.concat([bytes, Buffer.of(0)]));
    for (const sign of [spoilt, (bytes: Uint8Array) => Promise.resolve(spoilt(bytes))]) {
      records = [];
      const answer = await certify({ sign });
      assert.ok(!answer.ok && answer.refusal.code === 'internal' && /signature does not verify/.test(answer.refusal.reason));
      assert.deepEqual(kinds(), ['intent', 'withheld']);
    }
  });

  it('is nothing while the key cannot be reached, and the log says that too', async () => {
    const away = () => Promise.reject(new Error('the token is gone'));
    const answer = await certify({ sign: away });
    assert.ok(!answer.ok && answer.refusal.code === 'unavailable');
    assert.ok(!answer.refusal.reason.includes('gone'));
    assert.deepEqual(kinds(), ['intent', 'withheld']);
  });

  it('is nothing, and nothing is signed, while the log cannot be written', async () => {
    let signed = 0;
    const sign = (bytes: Uint8Array) => {
      signed++;
      return root.issuer.sign(bytes);
    };
    const answer = await certify({ sign }, () => Promise.reject(new Error('disk full')));
    assert.ok(!answer.ok && answer.refusal.code === 'unavailable');
    assert.deepEqual([signed, kinds()], [0, []]);
  });
});
