import assert from 'node:assert/strict';
import { inUse } from '../../../ca/rotation/in-use.ts';
import type { LoggedIssuance } from '../../../ca/log/read.ts';

const now = new Date('2026-11-21T12:00:00Z');
const [OLD, NEW] = [Buffer.from('01', 'hex'), Buffer.from('02', 'hex')];

function issuance(serial: string, more: Partial<Omit<LoggedIssuance, 'kind' | 'record'>> = {}): LoggedIssuance {
  return {
    kind: 'issuance',
    outcome: 'issued',
    record: 1,
    time: '2026-11-21T11:00:00Z',
    serial,
    names: `URI:spiffe://cluster.local/ns/shop/sa/${serial}`,
    evidence: { kind: 'token', subject: 'x' },
    key: 'ecdsa-p256',
    issuer: '01',
    notBefore: '2026-11-21T11:00:00Z',
    notAfter: '2026-11-21T13:00:00Z',
    ...more,
  };
}

const count = (...issuances: readonly LoggedIssuance[]): readonly [number, number] => {
  const { old, next } = inUse(issuances, { old: OLD, next: NEW }, now);
  return [old.count, next.count];
};

describe('certificates in use under each root', () => {
  it('count until they end, by the key that signed them', () => {
    assert.deepEqual(count(issuance('a'), issuance('b', { issuer: '02' })), [1, 1]);
    assert.deepEqual(count(issuance('a', { notAfter: '2026-11-21T11:59:59Z' })), [0, 0]);
  });

  it('records from before roots could be rotated are of the old root', () => {
    const { issuer: _, ...old } = issuance('a');
    assert.deepEqual(count(old), [1, 0]);
  });

  it('one that was shown to get another no longer counts, once that was issued', () => {
    const evidence = { kind: 'certificate', subject: 'x', serial: 'a' };
    assert.deepEqual(count(issuance('a'), issuance('b', { issuer: '02', evidence })), [0, 1]);
    assert.deepEqual(count(issuance('a'), issuance('b', { issuer: '02', evidence, outcome: 'open' })), [1, 1]);
    assert.deepEqual(count(issuance('a'), issuance('b', { issuer: '02', evidence, outcome: 'withheld' })), [1, 0]);
  });

  it("a certificate that may have been released counts; the control plane's own do not", () => {
    assert.deepEqual(count(issuance('a', { outcome: 'open' })), [1, 0]);
    assert.deepEqual(count(issuance('a', { evidence: { kind: 'self', subject: 'control plane' } })), [0, 0]);
  });

  it('one whose result was lost in a crash no longer counts either once it was shown', () => {
    const evidence = { kind: 'certificate', subject: 'x', serial: 'a' };
    // Those without a result come last.
    assert.deepEqual(count(issuance('b', { issuer: '02', evidence }), issuance('a', { outcome: 'open' })), [0, 1]);
  });

  it('are counted in a mesh of 200,000', () => {
    const many = Array.from({ length: 200_000 }, (_, index) => issuance(`s${String(index)}`));
    const { old } = inUse(many, { old: OLD, next: NEW }, now);
    assert.equal(old.count, 200_000);
    assert.deepEqual(old.until, new Date('2026-11-21T13:00:00Z'));
  });

  it('names them and when the last ends', () => {
    const { old } = inUse([issuance('a'), issuance('b', { notAfter: '2026-11-21T14:00:00Z' })], { old: OLD, next: NEW }, now);
    assert.deepEqual(old.until, new Date('2026-11-21T14:00:00Z'));
    assert.deepEqual(old.identities, ['spiffe://cluster.local/ns/shop/sa/a', 'spiffe://cluster.local/ns/shop/sa/b']);
  });
});
