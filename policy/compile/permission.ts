import { create } from '@bufbuild/protobuf';
import { type Permission, PermissionSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { cidr } from './principal.ts';
import type { OperationLeaf, Tree } from './test.ts';
import { stringMatcher } from './text.ts';

function leafPermission(leaf: OperationLeaf): Permission {
  switch (leaf.test) {
    case 'header': {
      const { name, text, ignoreCase } = leaf;
      const headerMatchSpecifier =
        text.kind === 'present'
          ? ({ case: 'presentMatch', value: true } as const)
          : ({ case: 'stringMatch', value: stringMatcher(text, ignoreCase) } as const);
      return create(PermissionSchema, { rule: { case: 'header', value: { name, headerMatchSpecifier } } });
    }
    case 'path':
      return create(PermissionSchema, {
        rule: { case: 'urlPath', value: { rule: { case: 'path', value: stringMatcher(leaf.text) } } },
      });
    case 'destination-address':
      return create(PermissionSchema, { rule: { case: 'destinationIp', value: cidr(leaf.block) } });
    case 'destination-port':
      return create(PermissionSchema, { rule: { case: 'destinationPort', value: leaf.port } });
    case 'server-name':
      return create(PermissionSchema, { rule: { case: 'requestedServerName', value: stringMatcher(leaf.text) } });
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
