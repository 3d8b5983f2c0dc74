import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '../../../ca/authority.ts';
import { element } from '../../../ca/der/write.ts';
import { parseDnsRule } from '../../../ca/dns/rules.ts';
import { parseRecord, readIssuanceLog } from '../../../ca/log/read.ts';
import { issuedInLog } from '../../../ca/revocation/issued.ts';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { must } from '../identity/must.ts';
import { requestPem } from '../requests.ts';
import { type World, world } from '../world.ts';

const ID = 'spiffe://cluster.local/ns/shop/sa/cart';
const dns = (name: string) => element(0x82, Buffer.from(name));

describe('ca/dns: certificates with DNS names', () => {
  let here: World;
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());

  const ask = async (authority: Authority, names: readonly string[]) =>
    authority.issue({
      csr: requestPem({ uris: [ID], otherNames: names.map(dns) }),
      ttlSeconds: 600,
      authorization: [`Bearer ${await here.tokens.token()}`],
    });

  it('are issued to whom a rule allows them, with the SPIFFE ID first, and are logged', async () => {
    const authority = await here.open({ dnsNames: [must(parseDnsRule('shop/cart=*.shop.svc,cart'))] });
    const answer = await ask(authority, ['cart.shop.svc', 'cart']);
    assert.ok(answer.ok, answer.ok ? '' : answer.refusal.reason);
    const leaf = new X509Certificate(answer.value.certChain[0] ?? '');
    assert.equal(leaf.subjectAltName, `URI:${ID}, DNS:cart.shop.svc, DNS:cart`);
    assert.equal(leaf.checkHost('cart.shop.svc'), 'cart.shop.svc');
    await authority.close();
    const path = join(here.caDir, 'issuance.jsonl');
    const intent = readFileSync(path, 'utf8')
      .split('\n')
      .find((line) => line.includes('"intent"') && line.includes(answer.value.serial));
    assert.deepEqual(JSON.parse(intent ?? '{}').dnsNames, ['cart.shop.svc', 'cart']);
    const read = await readIssuanceLog(path, { names: `URI:${ID}` });
    assert.deepEqual([read.unreadable, read.issuances.map(({ dnsNames }) => dnsNames)], [0, [['cart.shop.svc', 'cart']]]);
    assert.equal(parseRecord((intent ?? '').replace('["cart.shop.svc","cart"]', '"cart"')), undefined);
    // Whoever revokes an identity must find these too.
    const found = await issuedInLog(path)({ kind: 'identity', identity: must(parseSpiffeId(ID)) });
    assert.deepEqual(
      found.map(({ serial }) => serial),
      [answer.value.serial],
    );
  });

  it('are refused to everybody without a rule, as a whole where one name is too many', async () => {
    const strict = await here.open();
    const refused = await ask(strict, ['cart']);
    assert.ok(!refused.ok && refused.refusal.code === 'forbidden');
    await strict.close();
    const authority = await here.open({ dnsNames: [must(parseDnsRule('shop/cart=cart')), must(parseDnsRule('shop/pay=pay'))] });
    const both = await ask(authority, ['cart', 'pay']);
    assert.ok(!both.ok && both.refusal.code === 'forbidden' && / pay;/.test(both.refusal.reason));
  });
});
