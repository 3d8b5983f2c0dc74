import { create } from '@bufbuild/protobuf';
import { type HeaderMatcher, HeaderMatcherSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { LimitMatch } from '../../mesh/model/rate-limit.ts';
import type { StringMatch } from '../../mesh/model/virtual-service.ts';
import { header } from '../routes/match.ts';

const literally = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);

/** `:path` has the query after the path, of which no match of a uri speaks. */
function path(uri: StringMatch): HeaderMatcher {
  if (uri.kind === 'prefix') return header(':path', uri);
  const regex = uri.kind === 'exact' ? literally(uri.value) : `(?:${uri.value})`;
  return header(':path', { kind: 'regex', value: String.raw`${regex}(?:\?.*)?` });
}

/** What a request must have, all of it. */
export function matchers(match: LimitMatch | undefined): readonly HeaderMatcher[] {
  if (match === undefined) return [];
  const { uri, method, authority } = match;
  return [
    ...(uri === undefined ? [] : [path(uri)]),
    ...(method === undefined ? [] : [header(':method', method)]),
    ...(authority === undefined ? [] : [header(':authority', authority)]),
    ...Object.entries(match.headers).map(([name, value]) => header(name, value)),
  ];
}

export function absent(name: string): HeaderMatcher {
  return create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: 'presentMatch', value: true }, invertMatch: true });
}
