import type { Meta } from '../../model/object.ts';
import type { HttpMatch, HttpRoute } from '../../model/virtual-service.ts';

/** The annotation of VirtualServices that Istio makes of routes of the Gateway API, and dumps of its configuration show. */
const ROUTE_SEMANTICS = 'internal.istio.io/route-semantics';

export function hasGatewaySemantics({ annotations }: Meta): boolean {
  return annotations[ROUTE_SEMANTICS] === 'gateway';
}

function bySegments(match: HttpMatch): HttpMatch {
  const { uri } = match;
  if (uri?.kind !== 'prefix' || uri.value === '/') return match;
  return { ...match, uri: { kind: 'prefix', value: uri.value.replace(/\/+$/, ''), segments: true } };
}

const quoted = (literal: string) => literal.replaceAll(/[.+*?^${}()|[\]\\]/g, String.raw`\$&`);

/** A prefix that is taken away leaves the rest of the path with one slash before it. */
function withoutPrefix({ rewrite, match: [first, ...others] }: HttpRoute): HttpRoute['rewrite'] {
  const prefix = first?.uri?.kind === 'prefix' && others.length === 0 ? first.uri.value.replace(/\/+$/, '') : '';
  if (rewrite?.uri !== '/' || prefix === '') return rewrite;
  return { ...rewrite, uri: undefined, uriRegex: { match: `^${quoted(prefix)}(/?)(.*)`, rewrite: String.raw`/\2` } };
}

/** A route as the Gateway API means it: prefixes match whole segments, and a destination that is not there answers 500. */
export function asGatewayRoute(route: HttpRoute): HttpRoute {
  return { ...route, match: route.match.map(bySegments), rewrite: withoutPrefix(route), unknownDestination: 500 };
}
