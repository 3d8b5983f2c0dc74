import type { MessageInitShape } from '@bufbuild/protobuf';
import type { StringMatcherSchema } from '#gen/envoy/type/matcher/v3/string_pb.js';
import type { HeaderMatch, StringMatch } from '../../mesh/model/virtual-service.ts';

export type StringMatcher = MessageInitShape<typeof StringMatcherSchema>;

export function stringMatcher(match: StringMatch): StringMatcher {
  switch (match.kind) {
    case 'exact':
      return { matchPattern: { case: 'exact', value: match.value } };
    case 'prefix':
      return { matchPattern: { case: 'prefix', value: match.value } };
    case 'regex':
      return { matchPattern: { case: 'safeRegex', value: { regex: match.value } } };
    default:
      return match satisfies never;
  }
}

/** The text that is asked for, or undefined for "is there": `*` is no RE2, but Istio reads it so, and an empty match as well. */
export function textMatched(match: HeaderMatch): StringMatch | undefined {
  return match.kind === 'present' || (match.kind === 'regex' && match.value === '*') ? undefined : match;
}
