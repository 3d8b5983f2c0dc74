import { create } from '@bufbuild/protobuf';
import { type Node, NodeSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import type { NodeInput } from './input.ts';

/** `sidecar~IP~POD.NAMESPACE~NAMESPACE.svc.DOMAIN`, as Istio names its proxies. */
export function nodeId(node: NodeInput): string {
  return `${node.kind}~${node.ip}~${node.pod}.${node.namespace}~${node.namespace}.svc.${node.domain}`;
}

/** Who this proxy says it is. Informational: the control plane goes by the client certificate. */
export function node(input: NodeInput): Node {
  const { region = '', zone = '', subzone = '' } = input.locality ?? {};
  return create(NodeSchema, {
    id: nodeId(input),
    // What Zipkin's spans call the service: Istio's `APP_LABEL_AND_NAMESPACE`.
    cluster: `${input.labels['app'] || input.workload}.${input.namespace}`,
    ...(input.locality && { locality: { region, zone, subZone: subzone } }),
    metadata: {
      NAME: input.pod,
      NAMESPACE: input.namespace,
      SERVICE_ACCOUNT: input.serviceAccount,
      WORKLOAD_NAME: input.workload,
      LABELS: { ...input.labels },
    },
  });
}
