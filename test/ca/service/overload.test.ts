import { strict as assert } from 'node:assert';
import { status } from '@grpc/grpc-js';
import type { Authority } from '../../../ca/authority.ts';
import { retryHint } from '../../../sds/authority/retry-hint.ts';
import { requestPem } from '../requests.ts';
import { type World, world } from '../world.ts';
import { connect, createCertificate, type RunningService, serve } from './client.ts';

describe('ca/service: more requests than it takes', () => {
  let here: World;
  let authority: Authority;
  let service: RunningService;
  before(async () => {
    here = await world();
    authority = await here.open();
    service = await serve(here, authority, { concurrency: 2, queue: 8 });
  });
  after(async () => {
    service.close();
    await here.close();
  });

  it('answers RESOURCE_EXHAUSTED with a hint our agent reads, and serves the rest', async () => {
    const client = connect(service.port, { rootsPem: authority.rootCertPem });
    const token = await here.tokens.token();
    const csr = requestPem();
    const answers = await Promise.all(Array.from({ length: 200 }, () => createCertificate(client, { csr, token })));
    const good = answers.filter((answer) => answer.ok);
    assert.ok(good.length >= 10, `${good.length} served`);
    assert.ok(good.length < 200, 'nothing was turned away');
    for (const answer of answers) {
      if (answer.ok) continue;
      assert.equal(answer.error.code, status.RESOURCE_EXHAUSTED);
      const hint = retryHint(answer.error.metadata);
      assert.ok(hint !== undefined && hint >= 250 && hint <= 60_000, `hint ${hint}`);
      answer.error.metadata.remove('grpc-status-details-bin');
      const trailer = retryHint(answer.error.metadata);
      assert.equal(trailer, Math.round(hint));
    }
    assert.ok((await createCertificate(client, { csr, token })).ok);
    client.close();
  });
});
