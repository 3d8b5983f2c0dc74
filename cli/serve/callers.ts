import type { ReviewToken } from '../../ca/authenticate/token-review.ts';
import type { TokenOptions } from '../../ca/authenticate/tokens.ts';
import type { AuthorityOptions } from '../../ca/authority.ts';
import { type RateLimit, rateLimit } from '../../ca/service/rate-limit.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { CallerOptions, Rate } from './caller-options.ts';
import { podPlacement } from './pod-placement.ts';

const limit = (rate: Rate | undefined): RateLimit | undefined => rate && rateLimit({ ...rate, clock: () => performance.now() });

/** What the authority is told about its callers. Keys that were given go before the API server of a cluster. */
export function callersOf(
  { token, trustedNodeAccounts, dnsNames, identityRate }: CallerOptions,
  current: () => Snapshot,
  reviewToken: ReviewToken | undefined,
): Pick<AuthorityOptions, 'nodeProxies' | 'dnsNames' | 'limit'> & TokenOptions {
  const trusted = new Set(trustedNodeAccounts);
  return {
    ...token,
    reviewToken: token.issuer === undefined ? reviewToken : undefined,
    nodeProxies: trusted.size === 0 ? undefined : { trusted, placement: podPlacement(current) },
    dnsNames,
    limit: limit(identityRate),
  };
}

export function addressLimit({ addressRate }: CallerOptions): RateLimit | undefined {
  return limit(addressRate);
}
