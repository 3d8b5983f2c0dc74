import { parsed, refused } from '../../ca/identity/parsed.ts';
import type { Authority } from '../../ca/authority.ts';
import type { AuthenticateByToken } from '../../xds/stream/service.ts';

/**
 * Istio's agents show the token of their ServiceAccount on discovery streams and no certificate. The token is looked at once, as the
 * authority looks at it for a certificate; from then on the stream lasts until its identity is revoked.
 */
export function discoveryTokens({
  authenticate,
  revocations,
}: Pick<Authority, 'authenticate' | 'revocations'>): AuthenticateByToken {
  return async (call) => {
    const authorization = call.metadata.get('authorization').map(String);
    const caller = await authenticate({ authorization, call });
    if (!caller.ok) return refused(caller.refusal.reason);
    const { id } = caller.value;
    return parsed(() => {
      const cut = revocations.revoked(id);
      return cut === undefined ? parsed(id) : refused(cut);
    });
  };
}
