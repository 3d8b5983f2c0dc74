import type { MeshConfig } from '../model/mesh-config.ts';
import { isGatewayApiKind } from '../model/gateway-api-kinds.ts';
import type { Kind } from '../model/object.ts';
import { isTemplated } from '../model/templated-kinds.ts';
import { readAuthorizationPolicy } from './authorization-policy/read.ts';
import type { Context } from './context.ts';
import { readDestinationRule } from './destination-rule/read.ts';
import type { Field } from './field.ts';
import { readGateway } from './gateway/read.ts';
import { readGatewayApi } from './gateway-api/read.ts';
import { readConfigMap } from './core/config-map.ts';
import { readTemplated } from './core/deployment.ts';
import { readEndpointSlice } from './core/endpoint-slice.ts';
import { readEndpoints } from './core/endpoints.ts';
import { readPod } from './core/pod.ts';
import { readService } from './core/service.ts';
import { readIngress, readIngressClass } from './ingress/read.ts';
import { localityOfNode } from './locality.ts';
import type { MeshObject } from './mesh-object.ts';
import { readNamespaceRollout } from './namespace-rollout/read.ts';
import type { Node } from './node.ts';
import { readPeerAuthentication } from './peer-authentication/read.ts';
import { readRateLimit } from './rate-limit/read.ts';
import { readRequestAuthentication } from './request-authentication/read.ts';
import { readServiceEntry } from './service-entry/read.ts';
import { readSidecar } from './sidecar/read.ts';
import { readProxySettings } from './proxy-settings/read.ts';
import { readTelemetry } from './telemetry/read.ts';
import { checkWorkloadGroup } from './workload-entry/group.ts';
import { readWorkloadEntry } from './workload-entry/read.ts';
import { readVirtualService } from './virtual-service/read.ts';

/** Kinds of Istio's and our own are read strictly; of Kubernetes' own kinds only a part is needed, so their other fields are left alone. */
export function isStrict(kind: Kind): boolean {
  if (isGatewayApiKind(kind)) return true;
  if (isTemplated(kind)) return false;
  switch (kind) {
    case 'Namespace':
    case 'ServiceAccount':
    case 'Service':
    case 'Pod':
    case 'ConfigMap':
    case 'Node':
    case 'EndpointSlice':
    case 'Endpoints':
    case 'Ingress':
    case 'IngressClass':
      return false;
    case 'ServiceEntry':
    case 'Sidecar':
    case 'WorkloadEntry':
    case 'WorkloadGroup':
    case 'VirtualService':
    case 'DestinationRule':
    case 'Gateway':
    case 'AuthorizationPolicy':
    case 'PeerAuthentication':
    case 'RequestAuthentication':
    case 'RateLimit':
    case 'NamespaceRollout':
    case 'Telemetry':
    case 'ProxyConfig':
      return true;
  }
  return kind satisfies never;
}

/** Reads an object's spec (and, of a Pod, its status). What is wrong goes to the report of `spec`. */
export function readObject(kind: Kind, spec: Field, status: Field, context: Context, root: Node): MeshObject {
  if (isGatewayApiKind(kind)) return readGatewayApi(kind, spec, context);
  if (isTemplated(kind)) return { kind, value: readTemplated(kind, spec, context, root) };
  switch (kind) {
    case 'Namespace':
    case 'ServiceAccount':
      return { kind, value: { meta: context.meta } };
    case 'Service':
      return { kind, value: readService(spec, context) };
    case 'Node':
      return { kind, value: { meta: context.meta, locality: localityOfNode(context.meta.labels) } };
    case 'EndpointSlice':
      return { kind, value: readEndpointSlice(context, root, spec) };
    case 'Endpoints':
      return { kind, value: readEndpoints(context, root, spec) };
    case 'Ingress':
      return { kind, value: readIngress(spec, context) };
    case 'IngressClass':
      return { kind, value: readIngressClass(spec, context) };
    case 'Pod':
      return { kind, value: readPod(spec, status, context, root) };
    case 'ConfigMap':
      return { kind, value: readConfigMap(context, root) };
    case 'ServiceEntry':
      return { kind, value: readServiceEntry(spec, context) };
    case 'Sidecar':
      return { kind, value: readSidecar(spec, context) };
    case 'WorkloadEntry':
      return { kind, value: readWorkloadEntry(spec, context) };
    case 'WorkloadGroup':
      checkWorkloadGroup(spec);
      return { kind, value: { meta: context.meta } };
    case 'VirtualService':
      return { kind, value: readVirtualService(spec, context) };
    case 'DestinationRule':
      return { kind, value: readDestinationRule(spec, context) };
    case 'Gateway':
      return { kind, value: readGateway(spec, context) };
    case 'AuthorizationPolicy':
      return { kind, value: readAuthorizationPolicy(spec, context) };
    case 'PeerAuthentication':
      return { kind, value: readPeerAuthentication(spec, context) };
    case 'RequestAuthentication':
      return { kind, value: readRequestAuthentication(spec, context) };
    case 'RateLimit':
      return { kind, value: readRateLimit(spec, context) };
    case 'NamespaceRollout':
      return { kind, value: readNamespaceRollout(spec, context) };
    case 'Telemetry':
      return { kind, value: readTelemetry(spec, context) };
    case 'ProxyConfig':
      return { kind, value: readProxySettings(spec, context) };
  }
  return kind satisfies never;
}

export interface ReadOptions {
  readonly meshConfig: MeshConfig;
  /** For objects that name none. */
  readonly defaultNamespace: string;
}
