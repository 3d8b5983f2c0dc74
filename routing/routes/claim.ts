import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type MetadataMatcher, MetadataMatcherSchema } from '#gen/envoy/type/matcher/v3/metadata_pb.js';
import type { ValueMatcherSchema } from '#gen/envoy/type/matcher/v3/value_pb.js';
import type { HeaderMatch } from '../../mesh/model/virtual-service.ts';
import { stringMatcher, textMatched } from './text.ts';

const PREFIX = '@request.auth.claims';

/** Names of matches on JWT claims; no header can be called so, and none may stand in for a claim. */
export function asksForClaim(name: string): boolean {
  return name.startsWith('@request.auth.');
}

/** The path of `@request.auth.claims.a.b` or `@request.auth.claims[a][b]`; undefined when it is of neither form. */
export function claimPath(name: string): readonly string[] | undefined {
  if (!name.toLowerCase().startsWith(PREFIX)) return undefined;
  const rest = name.slice(PREFIX.length);
  if (rest.startsWith('.')) {
    const path = rest.slice(1).split('.');
    return path.every((key) => key !== '') ? path : undefined;
  }
  if (!rest.startsWith('[') || !rest.endsWith(']')) return undefined;
  const path = rest.slice(1, -1).split('][');
  return path.every((key) => key !== '') ? path : undefined;
}

type Value = MessageInitShape<typeof ValueMatcherSchema>;

/** One text, or a list that holds it; present is anything at all. */
function valueOf(match: HeaderMatch): Value {
  const text = textMatched(match);
  if (text === undefined) return { matchPattern: { case: 'presentMatch', value: true } };
  const single: Value = { matchPattern: { case: 'stringMatch', value: stringMatcher(text) } };
  const list: Value = { matchPattern: { case: 'listMatch', value: { matchPattern: { case: 'oneOf', value: single } } } };
  return { matchPattern: { case: 'orMatch', value: { valueMatchers: [list, single] } } };
}

/**
 * A condition on a claim of the verified token: it reads what jwt_authn wrote, where no client can write. Undefined when the name is no path of claims.
 * @param without the claim must not be so
 */
export function claimMatcher(name: string, match: HeaderMatch, without: boolean): MetadataMatcher | undefined {
  const path = claimPath(name);
  if (path === undefined) return undefined;
  return create(MetadataMatcherSchema, {
    filter: 'envoy.filters.http.jwt_authn',
    path: ['payload', ...path].map((key) => ({ segment: { case: 'key' as const, value: key } })),
    value: valueOf(match),
    invert: without,
  });
}
