import { strict as assert } from 'node:assert';
import * as fc from 'fast-check';
import { BACKDATE_SECONDS, lifetime, validity } from '../../../ca/sign/validity.ts';

const T0 = Date.UTC(2026, 10, 21);
const SEED = { seed: 20261121, numRuns: 2000 };
const instant = fc.integer({ min: T0 - 1e10, max: T0 + 1e10 });

describe('ca/sign: validity', () => {
  it('clamps the lifetime asked for (seed 20261121)', () => {
    const rules = fc.record({ defaultSeconds: fc.integer({ min: 1, max: 1e6 }), maxSeconds: fc.integer({ min: 1, max: 1e6 }) });
    const check = (asked: number, limits: { defaultSeconds: number; maxSeconds: number }) => {
      const given = lifetime(asked, limits);
      if (asked < 0 || !Number.isFinite(asked)) return assert.equal(given, undefined);
      assert.ok(given !== undefined && given >= 1 && given <= limits.maxSeconds && Number.isInteger(given));
      if (asked >= 1 && asked <= limits.maxSeconds) assert.equal(given, Math.floor(asked));
      if (asked === 0) assert.equal(given, Math.min(limits.defaultSeconds, limits.maxSeconds));
    };
    fc.assert(fc.property(fc.oneof(fc.constant(0), fc.double(), fc.integer()), rules, check), SEED);
  });

  it('never leaves the validity of the issuer, never lives longer than granted, is valid now (seed 20261121)', () => {
    const check = (now: number, seconds: number, from: number, to: number) => {
      const issuer = { notBefore: new Date(Math.floor(from / 1000) * 1000), notAfter: new Date(Math.floor(to / 1000) * 1000) };
      const given = validity(new Date(now), seconds, issuer);
      const usable = now >= issuer.notBefore.getTime() && now < issuer.notAfter.getTime();
      assert.equal(given !== undefined, usable);
      if (given === undefined) return;
      const [start, end] = [given.notBefore.getTime(), given.notAfter.getTime()];
      assert.ok(start >= issuer.notBefore.getTime() && end <= issuer.notAfter.getTime());
      assert.ok(start <= now && now < end);
      assert.ok(end - now <= seconds * 1000 && now - start <= BACKDATE_SECONDS * 1000 + 999);
      assert.ok(start % 1000 === 0 && end % 1000 === 0);
    };
    fc.assert(fc.property(instant, fc.integer({ min: 1, max: 1e6 }), instant, instant, check), SEED);
  });
});
