import { strict as assert } from 'node:assert';
import { parsed, refused } from '../../ca/identity/parsed.ts';
import { parseSpiffeId } from '../../ca/identity/spiffe-id.ts';
import { issuance, type IssueOptions } from '../../ca/issue.ts';
import type { LogRecord } from '../../ca/log/record.ts';
import { refuse } from '../../ca/refusal.ts';
import { must } from './identity/must.ts';
import { requestPem } from './requests.ts';
import { TD } from './world.ts';

describe('ca: the steps of an issuance', () => {
  const records: LogRecord[] = [];
  const steps: string[] = [];
  const issue = (peer: string | undefined, changes: Partial<IssueOptions> = {}) =>
    issuance({
      trustDomain: TD,
      verifyToken: () => Promise.resolve(refused('no token is good')),
      peerOf: () => (peer === undefined ? refused('no certificate') : parsed(must(parseSpiffeId(peer)))),
      certify: (grant) => {
        steps.push(grant.names.kind === 'workload' ? grant.names.spiffeId : 'server');
        return Promise.resolve(refuse('unavailable', 'the issuance log cannot be written'));
      },
      issuanceLog: {
        commit: () => Promise.reject(new Error('unused')),
        note: (record) => records.push(record),
        close: () => Promise.resolve(),
      },
      revoked: () => undefined,
      refusals: { take: () => 0 },
      clock: () => new Date(0),
      ...changes,
    });
  const ask = { ttlSeconds: 0, authorization: [], call: { getAuthContext: () => ({}) } };
  beforeEach(() => {
    records.length = 0;
    steps.length = 0;
  });

  it('count only workloads of our trust domain as callers by certificate', async () => {
    const strangers = [
      'spiffe://other.domain/ns/shop/sa/cart',
      'spiffe://cluster.local',
      'spiffe://cluster.local/gatehouse',
      'spiffe://cluster.local/ns/shop/sa/cart/extra',
    ];
    for (const id of strangers) {
      const result = await issue(id)({ ...ask, csr: requestPem({ uris: [id] }) });
      assert.ok(!result.ok && result.refusal.code === 'unauthenticated', id);
    }
    assert.deepEqual(steps, []);
  });

  it('look at the request only of a caller who is known', async () => {
    const result = await issue(undefined)({ ...ask, csr: 'garbage' });
    assert.ok(!result.ok && result.refusal.code === 'unauthenticated');
  });

  it('come to signing only for the own identity, and a log that cannot be written is a refusal', async () => {
    const own = 'spiffe://cluster.local/ns/shop/sa/cart';
    const other = await issue(own)({ ...ask, csr: requestPem({ uris: ['spiffe://cluster.local/ns/shop/sa/car'] }) });
    assert.ok(!other.ok && other.refusal.code === 'forbidden');
    assert.deepEqual(steps, []);
    const mine = await issue(own)({ ...ask, csr: requestPem({ uris: [own] }) });
    assert.ok(!mine.ok && mine.refusal.code === 'unavailable');
    assert.deepEqual(steps, [own]);
    assert.deepEqual(
      records.map((record) => record.kind === 'refused' && [record.code, record.evidence?.subject]),
      [
        ['forbidden', own],
        ['unavailable', own],
      ],
    );
  });

  it('have no certificate to look at without TLS', async () => {
    const result = await issue('spiffe://cluster.local/ns/shop/sa/cart')({ csr: requestPem(), ttlSeconds: 0, authorization: [] });
    assert.ok(!result.ok && result.refusal.code === 'unauthenticated');
  });
});
