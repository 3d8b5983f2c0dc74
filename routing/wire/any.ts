import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';

/** The `typed_config` of an extension; every Envoy extension point of ours is filled with it. */
export function typedConfig<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) {
  return { case: 'typedConfig' as const, value: anyPack(schema, create(schema, init)) };
}
