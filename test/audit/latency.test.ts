import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { serialOf } from '../../audit/model/certificate-use.ts';
import {
  addLatencies,
  LATENCY_BOUNDS_US,
  type Latencies,
  latencyOf,
  NO_LATENCIES,
  quantileUs,
} from '../../audit/model/latency.ts';
import { SERIAL_TAG } from '../../routing/access-log/grpc.ts';
import { decodeHttp } from '../../audit/intake/decode.ts';
import { http, peer } from './entries.ts';
import { directory, NOW, reporter } from './world.ts';

const SEED = 20261122;

function sum(times: readonly number[]): Latencies {
  return times.reduce((all, us) => addLatencies(all, latencyOf(us)), NO_LATENCIES);
}

describe('audit: how long calls took', () => {
  it(`is told by quantiles that lie in the bucket of the exact one, whatever the order of additions (seed ${SEED})`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(30_000_000), { minLength: 1, maxLength: 60 }),
        fc.constantFrom(0.5, 0.9, 0.99),
        (times, share) => {
          const sorted = times.toSorted((a, b) => a - b);
          const exact = sorted[Math.ceil(share * times.length) - 1] ?? 0;
          const most = sorted.at(-1) ?? 0;
          const told = quantileUs(sum(times), share, most);
          assert.ok(told !== undefined && told <= most);
          const bucket = (us: number): number => LATENCY_BOUNDS_US.findIndex((bound) => us <= bound);
          assert.equal(bucket(told), bucket(exact));
          assert.deepEqual(addLatencies(sum(times.slice(0, 7)), sum(times.slice(7))), sum(times.toReversed()));
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('is not known of what was counted without it', () => assert.equal(quantileUs(NO_LATENCIES, 0.5, 100), undefined));
});

describe('audit: serial numbers of certificates', () => {
  it('are told as the issuance log tells them, and nothing else is one', () => {
    assert.deepEqual(['00AB', '0', 'ab'.repeat(20), '', '-', 'xyz', 'ab'.repeat(21), undefined].map(serialOf), [
      'ab',
      '0',
      'ab'.repeat(20),
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('are read from the tag that proxies are told to write, of calls with a certificate only', () => {
    const named = (text: string, certificate = true): string | undefined => {
      const tls = certificate ? { tlsProperties: peer('spiffe://test.mesh/ns/shop/sa/web') } : {};
      const entry = http({ common: { ...tls, customTags: { [SERIAL_TAG]: text } } });
      return decodeHttp(entry, reporter('inbound'), directory, NOW)[0]?.certificate;
    };
    assert.equal(named('0a1b'), 'a1b');
    assert.equal(named('-'), undefined);
    assert.equal(named('0a1b', false), undefined);
  });
});
