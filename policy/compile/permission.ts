import { create } from '@bufbuild/protobuf';
import { type Permission, PermissionSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { cidr } from './principal.ts';
import { metadataMatcher } from './metadata.ts';
import { headerMatcher, pathMatcher } from './request.ts';
import type { OperationLeaf, Tree } from './test.ts';
import { stringMatcher } from './text.ts';

function leafPermission(leaf: OperationLeaf): Permission {
  switch (leaf.test) {
    case 'header':
      return create(PermissionSchema, { rule: { case: 'header', value: headerMatcher(leaf) } });
    case 'path':
      return create(PermissionSchema, { rule: { case: 'urlPath', value: pathMatcher(leaf) } });
    case 'destination-address':
      return create(PermissionSchema, { rule: { case: 'destinationIp', value: cidr(leaf.block) } });
    case 'destination-port':
      return create(PermissionSchema, { rule: { case: 'destinationPort', value: leaf.port } });
    case 'server-name':
      return create(PermissionSchema, { rule: { case: 'requestedServerName', value: stringMatcher(leaf.text) } });
    case 'metadata':
      return create(PermissionSchema, { rule: { case: 'metadata', value: metadataMatcher(leaf) } });
    default:
      return leaf satisfies never;
  }
}

/** The called side of a rule. */
export function permission(tree: Tree<OperationLeaf>): Permission {
  switch (tree.op) {
    case 'always':
      return create(PermissionSchema, { rule: { case: 'any', value: true } });
    case 'never':
      return create(PermissionSchema, { rule: { case: 'notRule', value: permission({ op: 'always' }) } });
    case 'all':
      return create(PermissionSchema, { rule: { case: 'andRules', value: { rules: tree.of.map(permission) } } });
    case 'any':
      return create(PermissionSchema, { rule: { case: 'orRules', value: { rules: tree.of.map(permission) } } });
    case 'not':
      return create(PermissionSchema, { rule: { case: 'notRule', value: permission(tree.of) } });
    case 'leaf':
      return leafPermission(tree.leaf);
    default:
      return tree satisfies never;
  }
}
