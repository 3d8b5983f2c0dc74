import { create } from '@bufbuild/protobuf';
import { CidrRangeSchema, type CidrRange } from '#gen/envoy/config/core/v3/address_pb.js';
import { type Principal, PrincipalSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { type ValueMatcher, ValueMatcherSchema } from '#gen/envoy/type/matcher/v3/value_pb.js';
import { doubtfulPeer, peerMatches } from './peer.ts';
import type { AddressBlock, SourceLeaf, Text, Tree } from './test.ts';
import { stringMatcher } from './text.ts';

export function cidr(block: AddressBlock): CidrRange {
  return create(CidrRangeSchema, { addressPrefix: block.address, prefixLen: block.bits });
}

function claimValue(text: Text, list: boolean): ValueMatcher {
  const single = create(ValueMatcherSchema, { matchPattern: { case: 'stringMatch', value: stringMatcher(text) } });
  if (!list) return single;
  const oneOf = create(ValueMatcherSchema, {
    matchPattern: { case: 'listMatch', value: { matchPattern: { case: 'oneOf', value: single } } },
  });
  return create(ValueMatcherSchema, { matchPattern: { case: 'orMatch', value: { valueMatchers: [oneOf, single] } } });
}

function leafPrincipal(leaf: SourceLeaf): Principal {
  switch (leaf.test) {
    case 'peer':
      return peerMatches(leaf.text);
    case 'doubtful-peer':
      return doubtfulPeer();
    case 'direct-address':
      return create(PrincipalSchema, { identifier: { case: 'directRemoteIp', value: cidr(leaf.block) } });
    case 'remote-address':
      return create(PrincipalSchema, { identifier: { case: 'remoteIp', value: cidr(leaf.block) } });
    case 'claim': {
      const path = ['payload', ...leaf.path].map((key) => ({ segment: { case: 'key', value: key } as const }));
      return create(PrincipalSchema, {
        identifier: {
          case: 'metadata',
          value: { filter: 'envoy.filters.http.jwt_authn', path, value: claimValue(leaf.text, leaf.list) },
        },
      });
    }
    default:
      return leaf satisfies never;
  }
}

/** The caller's side of a rule. */
export function principal(tree: Tree<SourceLeaf>): Principal {
  switch (tree.op) {
    case 'always':
      return create(PrincipalSchema, { identifier: { case: 'any', value: true } });
    case 'never':
      return create(PrincipalSchema, { identifier: { case: 'notId', value: principal({ op: 'always' }) } });
    case 'all':
      return create(PrincipalSchema, {
        identifier: { case: 'andIds', value: { ids: tree.of.map(principal) } },
      });
    case 'any':
      return create(PrincipalSchema, {
        identifier: { case: 'orIds', value: { ids: tree.of.map(principal) } },
      });
    case 'not':
      return create(PrincipalSchema, { identifier: { case: 'notId', value: principal(tree.of) } });
    case 'leaf':
      return leafPrincipal(tree.leaf);
    default:
      return tree satisfies never;
  }
}
