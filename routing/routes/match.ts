import { create } from '@bufbuild/protobuf';
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type QueryParameterMatcher,
  QueryParameterMatcherSchema,
  type RouteMatch,
  RouteMatchSchema,
} from '#gen/envoy/config/route/v3/route_components_pb.js';
import { RegexMatcherSchema } from '#gen/envoy/type/matcher/v3/regex_pb.js';
import type { HeaderMatch, HttpMatch, StringMatch } from '../../mesh/model/virtual-service.ts';
import { asksForClaim, claimMatcher } from './claim.ts';
import { stringMatcher, textMatched } from './text.ts';

export function header(name: string, match: HeaderMatch): HeaderMatcher {
  const text = textMatched(match);
  return create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier:
      text === undefined ? { case: 'presentMatch', value: true } : { case: 'stringMatch', value: stringMatcher(text) },
  });
}

/** A header that must not match: absent counts as empty, and presence turned around is absence. */
function withoutHeader(name: string, match: HeaderMatch): HeaderMatcher {
  const matcher = header(name, match);
  matcher.invertMatch = true;
  if (matcher.headerMatchSpecifier.case === 'stringMatch') matcher.treatMissingHeaderAsEmpty = true;
  return matcher;
}

function queryParameter(name: string, match: HeaderMatch): QueryParameterMatcher {
  const text = textMatched(match);
  return create(QueryParameterMatcherSchema, {
    name,
    queryParameterMatchSpecifier:
      text === undefined ? { case: 'presentMatch', value: true } : { case: 'stringMatch', value: stringMatcher(text) },
  });
}

function path(uri: StringMatch | undefined): RouteMatch['pathSpecifier'] {
  if (uri === undefined) return { case: 'prefix', value: '/' };
  if (uri.kind === 'exact') return { case: 'path', value: uri.value };
  if (uri.kind === 'prefix' && uri.segments === true) return { case: 'pathSeparatedPrefix', value: uri.value };
  if (uri.kind === 'prefix') return { case: 'prefix', value: uri.value };
  return { case: 'safeRegex', value: create(RegexMatcherSchema, { regex: uri.value }) };
}

/**
 * What of a request a route looks at. Ports, gateways and callers are decided before, when the configuration is compiled.
 * @param match undefined matches everything
 */
export function routeMatch(match: HttpMatch | undefined): RouteMatch {
  const made = create(RouteMatchSchema, { pathSpecifier: path(match?.uri) });
  if (match === undefined) return made;
  made.caseSensitive = !match.ignoreUriCase;
  const pseudo: readonly (readonly [string, StringMatch | undefined])[] = [
    [':scheme', match.scheme],
    [':method', match.method],
    [':authority', match.authority],
  ];
  made.headers = [
    ...Object.entries(match.headers).flatMap(([name, value]) => (asksForClaim(name) ? [] : [header(name, value)])),
    ...Object.entries(match.withoutHeaders).flatMap(([name, value]) => (asksForClaim(name) ? [] : [withoutHeader(name, value)])),
    ...pseudo.flatMap(([name, value]) => (value === undefined ? [] : [header(name, value)])),
  ];
  made.dynamicMetadata = [
    ...Object.entries(match.headers).flatMap(([name, value]) => claimMatcher(name, value, false) ?? []),
    ...Object.entries(match.withoutHeaders).flatMap(([name, value]) => claimMatcher(name, value, true) ?? []),
  ];
  made.queryParameters = Object.entries(match.queryParams).map(([name, value]) => queryParameter(name, value));
  return made;
}

/** True when nothing that comes after it in the same virtual host can be reached. */
export function isCatchAll(match: RouteMatch): boolean {
  if (match.headers.length + match.queryParameters.length + match.dynamicMetadata.length > 0) return false;
  const specifier = match.pathSpecifier;
  return (
    (specifier.case === 'prefix' && specifier.value === '/') || (specifier.case === 'safeRegex' && specifier.value.regex === '.*')
  );
}
