import type { Logger } from 'pino';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { AuthorityError } from '../root/error.ts';
import { discoveredKeys, httpsUrl } from './discovery.ts';
import { httpsGet } from './https-get.ts';
import type { JoinTokenStore } from './join-token-folder.ts';
import { joinTokenVerifier } from './join-token-verifier.ts';
import { looksLikeJoinToken } from './join-token.ts';
import { keySetFile, type KeySource } from './jwks.ts';
import { remoteKeys } from './remote-keys.ts';
import { type ReviewToken, tokenReviewVerifier } from './token-review.ts';
import { tokenVerifier, type VerifyToken } from './token.ts';

export interface TokenOptions {
  /** JWKS file of the token issuer, read again when it changes. */
  readonly jwksFile?: string | undefined;
  /** Or its https address. */
  readonly jwksUrl?: string | undefined;
  /** Required with either; alone, and an https address, its keys are found by OpenID Connect Discovery. */
  readonly issuer?: string | undefined;
  /** Default `istio-ca`. */
  readonly audience?: string | undefined;
  /** Roots that the servers of the issuer lead to, PEM; default: those of Node.js. */
  readonly issuerRootsPem?: string | undefined;
  /** Instead of keys: the Kubernetes API server is asked about each token. */
  readonly reviewToken?: ReviewToken | undefined;
}

export interface TokenWorld {
  readonly joinTokens: JoinTokenStore;
  readonly trustDomain: TrustDomain;
  readonly clock: () => Date;
  readonly log: Logger;
}

/**
 * How bearer tokens are verified: join tokens by their form, all others in the one way that was chosen.
 * @throws AuthorityError when the choice makes no sense, or when the keys of a file cannot be read
 */
export function tokensOf(options: TokenOptions, world: TokenWorld): VerifyToken {
  const join = joinTokenVerifier({ ...world, store: world.joinTokens });
  const other = othersOf(options, world);
  return (token) => (looksLikeJoinToken(token) ? join(token) : other(token));
}

function othersOf(options: TokenOptions, { trustDomain, clock, log }: TokenWorld): VerifyToken {
  const { issuer, audience = 'istio-ca', reviewToken } = options;
  if (audience === '') throw new AuthorityError('the audience of tokens must not be empty');
  if (reviewToken !== undefined) return tokenReviewVerifier({ review: reviewToken, audience, trustDomain, clock });
  const keys = keysOf(options, log);
  if (keys === undefined) return () => Promise.resolve({ ok: false, reason: 'this authority takes no tokens but join tokens' });
  if (issuer === undefined || issuer === '') throw new AuthorityError('token keys are given without the name of their issuer');
  // Fetches remote keys before the first token comes.
  void keys.fresh?.();
  return tokenVerifier({ keys, issuer, audience, trustDomain, clock });
}

function keysOf({ jwksFile, jwksUrl, issuer, issuerRootsPem }: TokenOptions, log: Logger): KeySource | undefined {
  if (jwksFile !== undefined) {
    const keys = keySetFile(jwksFile, log);
    if (!keys.ok) throw new AuthorityError(`token keys: ${keys.reason}`);
    return keys.value;
  }
  const get = httpsGet(issuerRootsPem);
  if (jwksUrl !== undefined) {
    const url = httpsUrl(jwksUrl);
    if (url === undefined) throw new AuthorityError(`token keys: ${jwksUrl} is no https address`);
    return remoteKeys({ fetchKeys: () => get(url), log });
  }
  if (issuer === undefined) return undefined;
  if (httpsUrl(issuer) === undefined)
    throw new AuthorityError(
      `the token issuer ${issuer} is no https address, so its keys cannot be found; give them as a file or an address`,
    );
  return remoteKeys({ fetchKeys: discoveredKeys(issuer, get), log });
}
