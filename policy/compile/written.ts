import { create } from '@bufbuild/protobuf';
import { type Policy, PolicySchema, PrincipalSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { permission } from './permission.ts';
import { principal } from './principal.ts';
import { asPrincipal, isCheap } from './request.ts';
import type { CompiledRule } from './test.ts';

/**
 * One rule as Envoy has it. Envoy tests permissions before principals; where the caller is a text or a few, all goes to the
 * principals, caller first: of a thousand such rules nearly all end with one comparison.
 */
export function written({ source, operation }: CompiledRule): Policy {
  const caller = principal(source);
  const later = isCheap(source) ? asPrincipal(operation) : undefined;
  if (later === undefined) return create(PolicySchema, { permissions: [permission(operation)], principals: [caller] });
  const both = create(PrincipalSchema, { identifier: { case: 'andIds', value: { ids: [caller, later] } } });
  return create(PolicySchema, { permissions: [{ rule: { case: 'any', value: true } }], principals: [both] });
}
