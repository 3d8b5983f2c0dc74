import assert from 'node:assert/strict';
import { array, assert as assertProperty, boolean, nat, property, record } from 'fast-check';
import { type Candidate, candidate, leads, next, PACE, sighted, wrote } from '../../../kubernetes/lease/candidate.ts';
import type { LeaseRecord } from '../../../kubernetes/lease/lease.ts';

const lease = (holder: string, changes: Partial<LeaseRecord> = {}): LeaseRecord => ({
  holder,
  durationSeconds: 15,
  renewTime: '2026-01-01T00:00:00.000000Z',
  acquireTime: '2026-01-01T00:00:00.000000Z',
  transitions: 0,
  resourceVersion: '1',
  ...changes,
});

describe('a candidate for a lease', () => {
  it('makes one where there is none', () => {
    assert.equal(next(sighted(candidate('a'), undefined, 0), 0, PACE).kind, 'create');
  });

  it('waits for another as long as its lease holds from when it was last seen to change', () => {
    let a = sighted(candidate('a'), lease('b'), 1_000);
    a = sighted(a, lease('b'), 9_000);
    assert.equal(next(a, 15_999, PACE).kind, 'wait');
    assert.equal(next(a, 16_000, PACE).kind, 'take');
    a = sighted(a, lease('b', { renewTime: 'later' }), 16_000);
    assert.equal(next(a, 30_999, PACE).kind, 'wait');
  });

  it('takes at once what was given back', () => {
    assert.equal(next(sighted(candidate('a'), lease(''), 0), 0, PACE).kind, 'take');
  });

  it('does not believe the clock of another', () => {
    const a = sighted(candidate('a'), lease('b', { renewTime: '1999-01-01T00:00:00.000000Z' }), 0);
    assert.equal(next(a, 14_000, PACE).kind, 'wait');
  });

  it('that has its own name from before a restart does not lead until it has renewed', () => {
    const a = sighted(candidate('a'), lease('a'), 0);
    assert.equal(leads(a, 0, PACE), false);
    assert.equal(next(a, 0, PACE).kind, 'renew');
    assert.equal(leads(wrote(a, lease('a'), 5), 5, PACE), true);
  });

  it('stops before another may begin', () => {
    const a = wrote(sighted(candidate('a'), undefined, 0), lease('a'), 100);
    assert.equal(leads(a, 10_099, PACE), true);
    assert.equal(leads(a, 10_100, PACE), false);
    assert.ok(PACE.renewWithinMs < PACE.holdsMs);
  });

  it('never leads beside another, however they are paused and whatever is lost', () => {
    // A server with optimistic locking; each candidate acts, sleeps or loses the answer to its write.
    const act = record({ who: nat(2), afterMs: nat(9_000), answerLost: boolean() });
    assertProperty(
      property(array(act, { maxLength: 200 }), (acts) => {
        let now = 0;
        let version = 1;
        let stored: LeaseRecord | undefined;
        const all: Candidate[] = ['a', 'b', 'c'].map(candidate);
        for (const { who, afterMs, answerLost } of acts) {
          now += afterMs;
          let one = sighted(all[who] ?? candidate('?'), stored, now);
          const step = next(one, now, PACE);
          if (step.kind !== 'wait') {
            const transitions = (stored?.transitions ?? 0) + (step.kind === 'take' ? 1 : 0);
            version += 1;
            stored = lease(one.name, { renewTime: String(version), transitions, resourceVersion: String(version) });
            if (!answerLost) one = wrote(one, stored, now);
          }
          all[who] = one;
          const leaders = all.filter((candidate) => leads(candidate, now, PACE)).map(({ name }) => name);
          assert.ok(leaders.length <= 1, leaders.join(' and '));
        }
      }),
      { seed: Number(process.env['GATEHOUSE_SEED'] ?? 7), numRuns: 500 },
    );
  });
});
