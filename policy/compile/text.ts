import { create } from '@bufbuild/protobuf';
import { type StringMatcher, StringMatcherSchema } from '#gen/envoy/type/matcher/v3/string_pb.js';
import type { Text } from './test.ts';

/** Envoy's StringMatcher. Its regexes are RE2 and must match the whole text. */
export function stringMatcher(text: Text, ignoreCase = false): StringMatcher {
  if (text.kind === 'regex')
    return create(StringMatcherSchema, { matchPattern: { case: 'safeRegex', value: { regex: text.value } } });
  return create(StringMatcherSchema, { matchPattern: { case: text.kind, value: text.value }, ignoreCase });
}
