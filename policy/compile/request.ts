import { create } from '@bufbuild/protobuf';
import { type HeaderMatcher, HeaderMatcherSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { type PathMatcher, PathMatcherSchema } from '#gen/envoy/type/matcher/v3/path_pb.js';
import { type Principal, PrincipalSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import type { OperationLeaf, SourceLeaf, Tree } from './test.ts';
import { stringMatcher } from './text.ts';

type HeaderLeaf = Extract<OperationLeaf, { readonly test: 'header' }>;
type PathLeaf = Extract<OperationLeaf, { readonly test: 'path' }>;

export function headerMatcher({ name, text, ignoreCase }: HeaderLeaf): HeaderMatcher {
  const headerMatchSpecifier =
    text.kind === 'present'
      ? ({ case: 'presentMatch', value: true } as const)
      : ({ case: 'stringMatch', value: stringMatcher(text, ignoreCase) } as const);
  return create(HeaderMatcherSchema, { name, headerMatchSpecifier });
}

export function pathMatcher({ text }: PathLeaf): PathMatcher {
  return create(PathMatcherSchema, { rule: { case: 'path', value: stringMatcher(text) } });
}

/** True when comparing the caller costs Envoy less than anything else in a rule: a text or a few. */
export function isCheap(source: Tree<SourceLeaf>): boolean {
  switch (source.op) {
    case 'leaf':
      return source.leaf.test === 'peer' && source.leaf.text.kind === 'exact';
    case 'any':
      return source.of.every(isCheap);
    case 'all':
    case 'not':
    case 'always':
    case 'never':
      return false;
    default:
      return source satisfies never;
  }
}

/** An operation as part of the principals, which Envoy can test after the caller; undefined when it has more than headers and path. */
export function asPrincipal(tree: Tree<OperationLeaf>): Principal | undefined {
  switch (tree.op) {
    case 'leaf':
      if (tree.leaf.test === 'header')
        return create(PrincipalSchema, { identifier: { case: 'header', value: headerMatcher(tree.leaf) } });
      if (tree.leaf.test === 'path')
        return create(PrincipalSchema, { identifier: { case: 'urlPath', value: pathMatcher(tree.leaf) } });
      return undefined;
    case 'all':
    case 'any': {
      const ids = tree.of.flatMap((part) => asPrincipal(part) ?? []);
      if (ids.length < tree.of.length) return undefined;
      return create(PrincipalSchema, { identifier: { case: tree.op === 'all' ? 'andIds' : 'orIds', value: { ids } } });
    }
    case 'not': {
      const inner = asPrincipal(tree.of);
      return inner === undefined ? undefined : create(PrincipalSchema, { identifier: { case: 'notId', value: inner } });
    }
    case 'always':
    case 'never':
      return undefined;
    default:
      return tree satisfies never;
  }
}
