import { create } from '@bufbuild/protobuf';
import { type MetadataMatcher, MetadataMatcherSchema } from '#gen/envoy/type/matcher/v3/metadata_pb.js';
import { type OperationLeaf, type Tree, any, leaf } from './test.ts';
import { stringMatcher } from './text.ts';
import { parseMatch, textOf } from './value.ts';

/** What a condition on the metadata of an Envoy filter asks for. */
export interface MetadataKey {
  readonly filter: string;
  readonly key: string;
}

const EXPERIMENTAL = /^experimental\.(envoy\.filters\.[^[\]]+)\[([^\]]+)\]$/;

/** Reads `experimental.envoy.filters.a.b[key]`; undefined when it is none. */
export function metadataKey(text: string): MetadataKey | undefined {
  const [, filter, key] = EXPERIMENTAL.exec(text) ?? [];
  return filter === undefined || key === undefined ? undefined : { filter, key };
}

/** One of these values; one in brackets, `[value]`, stands for a list that holds it. */
export function filterMetadata({ filter, key }: MetadataKey, values: readonly string[]): Tree<OperationLeaf> {
  return any(
    values.map((value) => {
      const list = value.startsWith('[') && value.endsWith(']');
      const text = textOf(parseMatch(list ? value.slice(1, -1) : value));
      return leaf({ test: 'metadata', filter, key, list, text });
    }),
  );
}

export function metadataMatcher(wanted: Extract<OperationLeaf, { readonly test: 'metadata' }>): MetadataMatcher {
  const single = { matchPattern: { case: 'stringMatch', value: stringMatcher(wanted.text) } } as const;
  const inList = { case: 'listMatch', value: { matchPattern: { case: 'oneOf', value: single } } } as const;
  return create(MetadataMatcherSchema, {
    filter: wanted.filter,
    path: [{ segment: { case: 'key', value: wanted.key } }],
    value: wanted.list ? { matchPattern: inList } : single,
  });
}
