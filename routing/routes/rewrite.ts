import { create } from '@bufbuild/protobuf';
import { RegexMatchAndSubstituteSchema, type RegexMatchAndSubstitute } from '#gen/envoy/type/matcher/v3/regex_pb.js';
import type { HttpMatch, Rewrite } from '../../mesh/model/virtual-service.ts';

export interface PathRewrite {
  readonly prefixRewrite?: string;
  readonly regexRewrite?: RegexMatchAndSubstitute;
}

function quoted(literal: string): string {
  return literal.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, (character) => (character === '/' ? '/' : `\\${character}`));
}

/** A backslash in a substitution begins a group reference. */
function literalSubstitution(text: string): string {
  return text.replaceAll('\\', '\\\\');
}

function regex(pattern: string, substitution: string): RegexMatchAndSubstitute {
  return create(RegexMatchAndSubstituteSchema, { pattern: { regex: pattern }, substitution });
}

/**
 * How a path is rewritten. Where a prefix without a last slash is replaced by one with it (`/myapp` by `/`), Envoy's prefix
 * rewrite would turn `/myapp/x` into `//x`; so that case drops one slash.
 */
export function pathRewrite(rewrite: Rewrite | undefined, match: HttpMatch | undefined): PathRewrite {
  if (rewrite?.uriRegex !== undefined) return { regexRewrite: regex(rewrite.uriRegex.match, rewrite.uriRegex.rewrite) };
  const to = rewrite?.uri;
  if (to === undefined) return {};
  const uri = match?.uri;
  if (uri?.kind === 'prefix' && !uri.value.endsWith('/') && to.endsWith('/')) {
    const caseless = match?.ignoreUriCase === true ? '(?i)' : '';
    return { regexRewrite: regex(`${caseless}^${quoted(uri.value)}/?`, literalSubstitution(to)) };
  }
  return { prefixRewrite: to };
}
