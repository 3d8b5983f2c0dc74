import { create } from '@bufbuild/protobuf';
import { type JwtProvider, JwtProviderSchema } from '#gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
import type { JsonWebKeys } from '../../mesh/model/json-web-keys.ts';
import type { JwtRule } from '../../mesh/model/request-authentication.ts';
import { type KnownKeys, locationOf } from '../jwks/known.ts';
import { listClaims } from './applying.ts';
import { keySet } from './key-set.ts';

/** Where the claims of a verified token are, below the filter's name; policy/compile/principal.ts reads them there. */
export const PAYLOAD = 'payload';

/**
 * Verified tokens that Envoy remembers for each provider and worker, up to their end: a signature costs it 30 to 80 µs, a token that it knows 5. New
 * keys make a new configuration, which remembers none.
 */
const TOKENS_KEPT = 500;

function keysOf({ keys }: JwtRule, known: KnownKeys): JsonWebKeys | undefined {
  return keys.kind === 'inline' ? keys.keys : known.get(locationOf(keys));
}

/** One rule as a provider. Keys are always in it: no proxy fetches any. Clocks may differ by Envoy's 60 seconds, as with Istio. */
export function jwtProvider(rule: JwtRule, known: KnownKeys): JwtProvider {
  return create(JwtProviderSchema, {
    issuer: rule.issuer ?? '',
    audiences: [...rule.audiences],
    jwksSourceSpecifier: {
      case: 'localJwks',
      value: { specifier: { case: 'inlineString', value: keySet(keysOf(rule, known)) } },
    },
    forward: rule.forwardOriginalToken,
    forwardPayloadHeader: rule.outputPayloadToHeader ?? '',
    fromHeaders: rule.fromHeaders.map(({ name, prefix }) => ({ name, valuePrefix: prefix })),
    fromParams: [...rule.fromParams],
    fromCookies: [...rule.fromCookies],
    claimToHeaders: rule.outputClaimToHeaders.map(({ claim, header }) => ({ claimName: claim, headerName: header })),
    payloadInMetadata: PAYLOAD,
    // Routes may ask for claims, and for headers that are made of them.
    clearRouteCache: true,
    jwtCacheConfig: { jwtCacheSize: TOKENS_KEPT },
    normalizePayloadInMetadata: { spaceDelimitedClaims: [...listClaims(rule)] },
  });
}
