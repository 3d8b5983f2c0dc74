import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf';
import { ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import type { CompiledProxy } from '../../routing/compile.ts';
import { EXTENSIONS } from '../../routing/wire/registry.ts';

function all<Desc extends DescMessage>(schema: Desc, messages: readonly MessageShape<Desc>[]): JsonValue[] {
  return messages.map((message) => toJson(schema, message, { registry: EXTENSIONS }));
}

/** The resources by kind, as JSON. */
export function xdsForm(compiled: CompiledProxy): Readonly<Record<keyof CompiledProxy, readonly JsonValue[]>> {
  return {
    listeners: all(ListenerSchema, compiled.listeners),
    routes: all(RouteConfigurationSchema, compiled.routes),
    clusters: all(ClusterSchema, compiled.clusters),
    endpoints: all(ClusterLoadAssignmentSchema, compiled.endpoints),
  };
}
