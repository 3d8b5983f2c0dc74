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

/** A host is the same in any case, and with a port unless one is asked for: spelled otherwise it reaches the same application. */
function authority(host: StringMatch): HeaderMatcher {
  if (host.kind === 'regex') return header(':authority', host);
  const port = /:\d+$/.test(host.value) ? '' : '(?::[0-9]+)?';
  const rest = host.kind === 'prefix' ? '.*' : port;
  return header(':authority', { kind: 'regex', value: `(?i)${literally(host.value)}${rest}` });
}

/** What a request must have, all of it. */
export function matchers(match: LimitMatch | undefined): readonly HeaderMatcher[] {
  if (match === undefined) return [];
  const { uri, method } = match;
  return [
    ...(uri === undefined ? [] : [path(uri)]),
    ...(method === undefined ? [] : [header(':method', method)]),
    ...(match.authority === undefined ? [] : [authority(match.authority)]),
    ...Object.entries(match.headers).map(([name, value]) => header(name, value)),
  ];
}

export function absent(name: string): HeaderMatcher {
  return create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: 'presentMatch', value: true }, invertMatch: true });
}
