import type { HttpMatch, Rewrite } from '../../mesh/model/virtual-service.ts';
import { pathOnly, queryOf } from './parts.ts';
import { expression } from './text.ts';

/** `\0` to `\9` are groups, `\\` is a backslash. */
function substituted(template: string, group: (index: number) => string): string {
  return template.replaceAll(/\\([0-9\\])/g, (_all, one: string) => (one === '\\' ? '\\' : group(Number(one))));
}

/** Every part that the expression finds, left to right, replaced. */
export function replacedAll(pattern: string, template: string, text: string): string {
  const matcher = expression(pattern).matcher(text);
  let out = '';
  let done = 0;
  let last = -1;
  while (matcher.find()) {
    const [start, end] = [matcher.start(), matcher.end()];
    // An empty find right behind the one before is none (RE2's GlobalReplace).
    if (start === end && start === last) continue;
    out +=
      text.slice(done, start) +
      substituted(template, (index) => (index > matcher.groupCount() ? '' : (matcher.group(index) ?? '')));
    done = end;
    last = end;
  }
  return out + text.slice(done);
}

/**
 * What stands in place of the part of the path that the match names: its prefix, or all of it for an exact path and for an expression. The
 * prefix `/myapp` replaced by `/` takes the slash that follows along, so that `/myapp/x` becomes `/x`.
 */
function withPrefixReplaced(path: string, to: string, match: HttpMatch | undefined): string {
  const own = pathOnly(path);
  const rest = queryOf(path);
  const { uri } = match ?? { uri: undefined };
  if (uri !== undefined && uri.kind !== 'prefix') return to + rest;
  const prefix = uri?.value ?? '/';
  const left = own.slice(prefix.length);
  return (!prefix.endsWith('/') && to.endsWith('/') && left.startsWith('/') ? to + left.slice(1) : to + left) + rest;
}

/** The path as the server sees it. */
export function rewrittenPath(rewrite: Rewrite | undefined, match: HttpMatch | undefined, path: string): string {
  if (rewrite?.uriRegex !== undefined)
    return replacedAll(rewrite.uriRegex.match, rewrite.uriRegex.rewrite, pathOnly(path)) + queryOf(path);
  return rewrite?.uri === undefined ? path : withPrefixReplaced(path, rewrite.uri, match);
}
