import type { Labels, Meta } from './object.ts';
import type { JsonWebKeys } from './json-web-keys.ts';
import type { TargetRef } from './target-ref.ts';

/** Keys that the mesh fetches: from a URI, or from where the issuer's OpenID configuration says. */
export type RemoteKeys =
  | { readonly kind: 'uri'; readonly uri: string; readonly timeoutMs: number }
  | { readonly kind: 'discovery'; readonly issuer: string; readonly timeoutMs: number };

/** Where the public keys of an issuer come from. */
export type KeySource = { readonly kind: 'inline'; readonly keys: JsonWebKeys } | RemoteKeys;

/** A header in which tokens come, behind a prefix such as `Bearer `. */
export interface TokenHeader {
  readonly name: string;
  readonly prefix: string;
}

/** Tokens of one issuer: how they are verified, where they come and what of them is passed on. */
export interface JwtRule {
  /** Undefined: tokens of any issuer that these keys verify. */
  readonly issuer: string | undefined;
  /** One of these must be among the token's; empty: any. */
  readonly audiences: readonly string[];
  readonly keys: KeySource;
  /** All three empty: `Authorization: Bearer` and the parameter `access_token`. */
  readonly fromHeaders: readonly TokenHeader[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  /** Without it a verified token is taken out of the request. */
  readonly forwardOriginalToken: boolean;
  readonly outputPayloadToHeader: string | undefined;
  readonly outputClaimToHeaders: readonly { readonly claim: string; readonly header: string }[];
  /** Claims of several words in one text, besides `scope` and `permission`, which always are. */
  readonly spaceDelimitedClaims: readonly string[];
  /** A request without a token of this rule is refused (`presence: REQUIRED`). */
  readonly required: boolean;
}

export interface RequestAuthentication {
  readonly meta: Meta;
  /** Empty: every workload of the namespace (of the mesh, in the root namespace). */
  readonly selector: Labels;
  /** Where given, it applies to the proxies that stand for one of these, and nowhere else. */
  readonly targetRefs: readonly TargetRef[];
  readonly rules: readonly JwtRule[];
}
