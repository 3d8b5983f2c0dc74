import assert from 'node:assert/strict';
import { signCrl } from '../../ca/revocation/crl.ts';
import { parseSerial } from '../../ca/revocation/revocation.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { loadRoot } from '../../ca/root/load.ts';
import { isListed, saysRevoked } from '../../sds/trust/revoked.ts';
import { must } from '../ca/identity/must.ts';
import { requestPem } from '../ca/requests.ts';
import { type World, world } from '../ca/world.ts';

describe('sds: what an agent hears of revocation', () => {
  let here: World;
  before(async () => {
    here = await world();
  });
  after(() => here.close());

  it('finds its serial number in any of the lists of our authority, and no other', async () => {
    await (await here.open()).close();
    const { issuer } = await loadRoot(folderAt(here.caDir));
    const list = (serials: readonly string[]): Promise<string> =>
      signCrl(
        {
          number: 1,
          thisUpdate: new Date(),
          nextUpdate: new Date(Date.now() + 1000),
          certificates: serials.map((text) => ({ serial: must(parseSerial(text)), time: new Date(), reason: 'keyCompromise' })),
        },
        issuer,
      );
    const [one, two, other] = ['4f', '5a', '6b'].map((byte) => byte.repeat(16));
    const lists = `${await list([one ?? ''])}${await list([two ?? '', '40'.repeat(16)])}`;
    assert.deepEqual(
      [one, two, other, '', '4f'].map((serial) => isListed(lists, serial ?? '')),
      [true, true, false, false, false],
    );
    assert.equal(isListed('', one ?? ''), false);
  });

  it('knows the words of our authority', async () => {
    const authority = await here.open();
    const issued = await authority.issue({
      csr: requestPem(),
      ttlSeconds: 60,
      authorization: [`Bearer ${await here.tokens.token()}`],
    });
    assert.ok(issued.ok);
    const target = { kind: 'serial', serial: must(parseSerial(issued.value.serial)) } as const;
    await authority.revocations.revoke(target, { reason: 'lost', by: 'test' });
    const said = authority.revocations.revoked(issued.value.spiffeId, issued.value.serial) ?? '';
    assert.ok(saysRevoked(`16 UNAUTHENTICATED: ${said}`), said);
    assert.ok(!saysRevoked('the client certificate has expired'));
  });
});
