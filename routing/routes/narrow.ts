import type { HeaderMatch, HttpMatch, HttpRoute, StringMatch } from '../../mesh/model/virtual-service.ts';

type Merged<T> = { readonly value: T } | undefined;

/**
 * Two conditions on one text as one: the delegate's, when it asks for no more than the root lets through. Expressions cannot be compared, so
 * one stands only where the other side says nothing.
 */
function text(root: StringMatch | undefined, leaf: StringMatch | undefined): Merged<StringMatch | undefined> {
  if (root === undefined || leaf === undefined) return { value: leaf ?? root };
  if (root.kind === 'regex' || leaf.kind === 'regex') return undefined;
  if (root.kind === 'prefix') return leaf.value.startsWith(root.value) ? { value: leaf } : undefined;
  return leaf.kind === 'exact' && leaf.value === root.value ? { value: leaf } : undefined;
}

function present(match: HeaderMatch): boolean {
  return match.kind === 'present';
}

function texts(
  root: Readonly<Record<string, HeaderMatch>>,
  leaf: Readonly<Record<string, HeaderMatch>>,
): Merged<Readonly<Record<string, HeaderMatch>>> {
  const merged: Record<string, HeaderMatch> = { ...root };
  for (const [name, wanted] of Object.entries(leaf)) {
    const above = root[name];
    if (above === undefined || above.kind === 'present') merged[name] = wanted;
    else if (wanted.kind === 'present') merged[name] = above;
    else {
      const both = text(above, wanted);
      if (both?.value === undefined) return undefined;
      merged[name] = both.value;
    }
  }
  return { value: merged };
}

function same<T>(root: T | undefined, leaf: T | undefined): Merged<T | undefined> {
  return root === undefined || leaf === undefined || root === leaf ? { value: leaf ?? root } : undefined;
}

function labels(root: HttpMatch['sourceLabels'], leaf: HttpMatch['sourceLabels']): Merged<HttpMatch['sourceLabels']> {
  for (const [name, value] of Object.entries(leaf)) if (root[name] !== undefined && root[name] !== value) return undefined;
  return { value: { ...root, ...leaf } };
}

function gateways(root: HttpMatch['gateways'], leaf: HttpMatch['gateways']): Merged<HttpMatch['gateways']> {
  if (root.length === 0 || leaf.length === 0) return { value: [...root, ...leaf] };
  return leaf.every((name) => root.includes(name)) ? { value: leaf } : undefined;
}

/** Conditions without which a request is let through must hold on both sides; the same name on both sides only when they agree. */
function without(root: HttpMatch['withoutHeaders'], leaf: HttpMatch['withoutHeaders']): Merged<HttpMatch['withoutHeaders']> {
  for (const [name, wanted] of Object.entries(leaf)) {
    const above = root[name];
    if (above !== undefined && !present(above) && JSON.stringify(above) !== JSON.stringify(wanted)) return undefined;
  }
  return { value: { ...leaf, ...root } };
}

/** What both ask for; undefined when no request of the delegate's is one that the root lets through. */
function narrowedMatch(root: HttpMatch, leaf: HttpMatch): HttpMatch | undefined {
  if (root.uri !== undefined && leaf.uri !== undefined && root.ignoreUriCase !== leaf.ignoreUriCase) return undefined;
  const uri = text(root.uri, leaf.uri);
  const scheme = text(root.scheme, leaf.scheme);
  const method = text(root.method, leaf.method);
  const authority = text(root.authority, leaf.authority);
  const headers = texts(root.headers, leaf.headers);
  const queryParams = texts(root.queryParams, leaf.queryParams);
  const withoutHeaders = without(root.withoutHeaders, leaf.withoutHeaders);
  const port = same(root.port, leaf.port);
  const sourceLabels = labels(root.sourceLabels, leaf.sourceLabels);
  const sourceNamespace = same(root.sourceNamespace, leaf.sourceNamespace);
  const names = gateways(root.gateways, leaf.gateways);
  if (uri === undefined || scheme === undefined || method === undefined || authority === undefined || headers === undefined)
    return undefined;
  if (queryParams === undefined || withoutHeaders === undefined || port === undefined || sourceLabels === undefined)
    return undefined;
  if (sourceNamespace === undefined || names === undefined) return undefined;
  return {
    name: root.name === undefined || leaf.name === undefined ? (leaf.name ?? root.name) : `${root.name}-${leaf.name}`,
    uri: uri.value,
    ignoreUriCase: root.ignoreUriCase || leaf.ignoreUriCase,
    scheme: scheme.value,
    method: method.value,
    authority: authority.value,
    headers: headers.value,
    withoutHeaders: withoutHeaders.value,
    queryParams: queryParams.value,
    port: port.value,
    sourceLabels: sourceLabels.value,
    sourceNamespace: sourceNamespace.value,
    gateways: names.value,
    statPrefix: leaf.statPrefix ?? root.statPrefix,
  };
}

/** Every match of the delegate's must fit under one of the root's; undefined when one does not: the route is then left out. */
function narrowedMatches(root: readonly HttpMatch[], leaf: readonly HttpMatch[]): readonly HttpMatch[] | undefined {
  if (root.length === 0) return leaf;
  if (leaf.length === 0) return root;
  const found: HttpMatch[] = [];
  for (const one of leaf) {
    const fitting = root.flatMap((above) => narrowedMatch(above, one) ?? []);
    if (fitting.length === 0) return undefined;
    found.push(...fitting);
  }
  return found;
}

/** A delegate's route in the root's place; what it leaves out, the root's route says. */
export function narrowedRoute(root: HttpRoute, leaf: HttpRoute): HttpRoute | undefined {
  const match = narrowedMatches(root.match, leaf.match);
  if (match === undefined || leaf.action.kind === 'delegate') return undefined;
  return {
    name: root.name === undefined || leaf.name === undefined ? (leaf.name ?? root.name) : `${root.name}-${leaf.name}`,
    match,
    action: leaf.action,
    rewrite: leaf.rewrite ?? root.rewrite,
    timeoutMs: leaf.timeoutMs ?? root.timeoutMs,
    retries: leaf.retries ?? root.retries,
    fault: leaf.fault ?? root.fault,
    mirrors: leaf.mirrors.length > 0 ? leaf.mirrors : root.mirrors,
    cors: leaf.cors ?? root.cors,
    headers: leaf.headers ?? root.headers,
  };
}
