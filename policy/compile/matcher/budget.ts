import { toBinary } from '@bufbuild/protobuf';
import { PolicySchema } from '#gen/envoy/config/rbac/v3/rbac_pb.js';
import { keptBy } from '../../kept.ts';
import type { CompiledRule } from '../test.ts';
import { written } from '../written.ts';

/** A tree has no references, so it may repeat what the plain form says once. So often at most: configuration stays linear in the policies. */
const MOST_TIMES_THE_BYTES = 4;

const bytesOf = keptBy((rule: CompiledRule) => rule.name.length + toBinary(PolicySchema, written(rule)).length);

/** The most bytes that rules may take as a tree of maps. */
export function budget(rules: readonly CompiledRule[]): number {
  let plain = 0;
  for (const rule of rules) plain += bytesOf(rule);
  return MOST_TIMES_THE_BYTES * plain;
}
