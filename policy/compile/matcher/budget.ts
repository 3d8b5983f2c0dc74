import { toBinary } from '@bufbuild/protobuf';
import { type RBAC, RBACSchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { type Matcher, MatcherSchema } from '#gen/xds/type/matcher/v3/matcher_pb.js';
import type { CompiledRule } from '../test.ts';
import { asMatcher } from './matcher.ts';

/** A tree has no references, so it may repeat what the plain form says once. So often at most: configuration stays linear in the policies. */
const MOST_TIMES_THE_BYTES = 4;

/** The rules as a tree of maps, where that is cheaper for each request and not much larger than the plain form. */
export function cheaperMatcher(rules: readonly CompiledRule[], plain: RBAC): Matcher | undefined {
  const made = asMatcher(rules);
  if (made === undefined) return undefined;
  return toBinary(MatcherSchema, made).length <= MOST_TIMES_THE_BYTES * toBinary(RBACSchema, plain).length ? made : undefined;
}
