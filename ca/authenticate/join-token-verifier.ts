import { parsed, refused } from '../identity/parsed.ts';
import { trustDomainOf, workloadOf } from '../identity/spiffe-id.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import type { JoinTokenStore } from './join-token-folder.ts';
import { hashOfJoinToken } from './join-token.ts';
import type { VerifyToken } from './token.ts';

export interface JoinTokenRules {
  readonly store: JoinTokenStore;
  readonly trustDomain: TrustDomain;
  readonly clock: () => Date;
}

const UNKNOWN = 'the join token is unknown, or it was used already';

/**
 * Verifies join tokens. Being good does not use one up: a request that is refused for another reason may come again. `claim` of the caller
 * uses it, and must be called, and have succeeded, before anything is given for it.
 */
export function joinTokenVerifier({ store, trustDomain, clock }: JoinTokenRules): VerifyToken {
  return async (token) => {
    const hash = hashOfJoinToken(token);
    const found = hash === undefined ? undefined : await lookUp(store, hash);
    if (found === 'unreadable') return { ok: false, reason: 'the join tokens cannot be read', unavailable: true };
    if (hash === undefined || found === undefined) return refused(UNKNOWN);
    if (clock() >= found.expires) return refused('the join token has expired');
    if (trustDomainOf(found.identity) !== trustDomain || workloadOf(found.identity) === undefined)
      return refused('the join token is for an identity that is not issued here');
    const id = hash.slice(0, ID_DIGITS);
    return parsed({
      id: found.identity,
      evidence: { kind: 'join-token', subject: id },
      claim: async () => {
        try {
          return (await store.use(hash)) ? parsed(undefined) : refused(UNKNOWN);
        } catch {
          return { ok: false, reason: 'that the join token is used cannot be written', unavailable: true };
        }
      },
    });
  };
}

/** What is shown of a hash: enough to name a token, of no use to anyone. */
export const ID_DIGITS = 16;

async function lookUp(store: JoinTokenStore, hash: Parameters<JoinTokenStore['find']>[0]) {
  try {
    return await store.find(hash);
  } catch {
    return 'unreadable';
  }
}
