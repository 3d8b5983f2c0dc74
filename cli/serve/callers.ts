import type { NodeProxyRules } from '../../ca/authenticate/node-proxies.ts';
import type { TokenOptions } from '../../ca/authenticate/tokens.ts';
import { type RateLimit, rateLimit } from '../../ca/service/rate-limit.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { CallerOptions, Rate } from './caller-options.ts';
import { podPlacement } from './pod-placement.ts';

const limit = (rate: Rate | undefined): RateLimit | undefined => rate && rateLimit({ ...rate, clock: () => performance.now() });

/** What the authority is told about its callers. */
export function callersOf(
  { token, trustedNodeAccounts, identityRate }: CallerOptions,
  current: () => Snapshot,
): TokenOptions & { readonly nodeProxies: NodeProxyRules | undefined; readonly limit: RateLimit | undefined } {
  const trusted = new Set(trustedNodeAccounts);
  return {
    ...token,
    nodeProxies: trusted.size === 0 ? undefined : { trusted, placement: podPlacement(current) },
    limit: limit(identityRate),
  };
}

export function addressLimit({ addressRate }: CallerOptions): RateLimit | undefined {
  return limit(addressRate);
}
