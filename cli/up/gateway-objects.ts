import { stringify } from 'yaml';
import type { GatewayPort } from './gateway-ports.ts';

export const GATEWAY_NAMESPACE = 'istio-system';
export const GATEWAY_NAME = 'istio-ingressgateway';
export const GATEWAY_ACCOUNT = 'istio-ingressgateway-service-account';
export const GATEWAY_LABELS = Object.freeze({ app: 'istio-ingressgateway', istio: 'ingressgateway' });

/** The objects of the ingress gateway that `up` adds where the configuration has none of its own: YAML. */
export function gatewayObjects(ports: readonly GatewayPort[]): string {
  const metadata = { name: GATEWAY_NAME, namespace: GATEWAY_NAMESPACE, labels: GATEWAY_LABELS };
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: GATEWAY_NAMESPACE } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: GATEWAY_ACCOUNT, namespace: GATEWAY_NAMESPACE } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      // For callers from outside only: sidecars would listen for its ports too, and may not bind 80 or 443 without privilege.
      metadata: { ...metadata, annotations: { 'networking.istio.io/exportTo': '.' } },
      spec: {
        type: 'LoadBalancer',
        // Not one of the virtual addresses that services without one are given: those shall not depend on this service.
        clusterIP: '240.241.0.1',
        selector: GATEWAY_LABELS,
        ports: ports.map(({ port, bound }) => ({ name: `tcp-${port}`, port, targetPort: bound })),
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: GATEWAY_LABELS },
        template: {
          metadata: { labels: GATEWAY_LABELS },
          spec: {
            serviceAccountName: GATEWAY_ACCOUNT,
            containers: [{ name: 'istio-proxy', image: 'auto', ports: ports.map(({ bound }) => ({ containerPort: bound })) }],
          },
        },
      },
    },
  ];
  return objects.map((object) => stringify(object)).join('---\n');
}
