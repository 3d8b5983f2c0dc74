import { strict as assert } from 'node:assert';
import { parseSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import type { Authority } from '../../../ca/authority.ts';
import { grpcSigner } from '../../../sds/authority/client.ts';
import { acceptCertificate } from '../../../sds/identity/accept.ts';
import { parseCertificates } from '../../../sds/identity/bundle.ts';
import { newKey, requestFor } from '../../../sds/identity/request.ts';
import { must } from '../identity/must.ts';
import { type World, world } from '../world.ts';
import { type RunningService, serve } from './client.ts';

describe('ca/service: our own agent', () => {
  let here: World;
  let authority: Authority;
  let service: RunningService;
  before(async () => {
    here = await world();
    authority = await here.open();
    service = await serve(here, authority);
  });
  after(async () => {
    service.close();
    await here.close();
  });

  it('gets a certificate by token, then renews it by certificate', async () => {
    const id = must(parseSpiffeId('spiffe://cluster.local/ns/shop/sa/cart'));
    const sign = grpcSigner({ target: `127.0.0.1:${service.port}`, serverName: 'gatehouse', timeoutMs: 5000 });
    const roots = parseCertificates(authority.rootCertPem);
    assert.ok(roots.ok);
    const bundle = { roots: roots.value, pem: authority.rootCertPem };
    const { key, csr } = await requestFor(id, await newKey());
    const call = { csr, ttlSeconds: 60, rootsPem: authority.rootCertPem };
    const first = await sign({ ...call, token: await here.tokens.token() }, new AbortController().signal);
    assert.ok(first.kind === 'signed', first.kind === 'failed' ? first.reason : '');
    const accepted = acceptCertificate(first.certChain, { id, key }, bundle, Date.now());
    assert.ok(accepted.ok, accepted.ok ? '' : accepted.reason);
    const renewed = await sign({ ...call, client: { chainPem: accepted.svid.chainPem, key } }, new AbortController().signal);
    assert.ok(renewed.kind === 'signed', renewed.kind === 'failed' ? renewed.reason : '');
    const refused = await sign(call, new AbortController().signal);
    assert.ok(refused.kind === 'failed' && refused.code === 'UNAUTHENTICATED');
  });
});
