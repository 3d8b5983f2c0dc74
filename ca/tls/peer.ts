import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js';
import type { Parsed } from '../identity/parsed.ts';
import type { SpiffeId } from '../identity/spiffe-id.ts';

/** What every grpc-js server call offers. */
export interface AuthenticatedCall {
  getAuthContext(): AuthContext;
}

/** Who is at the other end of the TLS connection, from its verified client certificate only. */
export type PeerOf = (call: AuthenticatedCall) => Parsed<SpiffeId>;
