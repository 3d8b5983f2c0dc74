import { create } from '@bufbuild/protobuf';
import { type TypedExtensionConfig, TypedExtensionConfigSchema } from '#gen/envoy/config/core/v3/extension_pb.js';
import { HeaderMutationSchema } from '#gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.js';
import { typedConfig } from '../wire/any.ts';

/**
 * Before anything reads a request at the edge. The header in which Envoy keeps the path that a route rewrites is its own word: access logs
 * name the call by it, so one that a client brings along would name another call.
 */
export function withoutClaimedPath(): TypedExtensionConfig {
  return create(TypedExtensionConfigSchema, {
    name: 'envoy.http.early_header_mutation.header_mutation',
    typedConfig: typedConfig(HeaderMutationSchema, {
      mutations: [{ action: { case: 'remove', value: 'x-envoy-original-path' } }],
    }).value,
  });
}
