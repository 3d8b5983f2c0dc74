import { stringify } from 'yaml';
import type { Labels } from '../../mesh/model/object.ts';
import type { GatewayPort, StartedGateway } from './gateway-ports.ts';

export const GATEWAY_NAMESPACE = 'istio-system';
export const GATEWAY_NAME = 'istio-ingressgateway';
const GATEWAY_ACCOUNT = 'istio-ingressgateway-service-account';
export const GATEWAY_LABELS = Object.freeze({ app: 'istio-ingressgateway', istio: 'ingressgateway' });

/** The proxy of a gateway that `up` starts of its own. */
export interface GatewayPod {
  readonly namespace: string;
  /** Of the Deployment and the Service. */
  readonly name: string;
  readonly account: string;
  readonly labels: Labels;
}

export function gatewayPodOf({ of }: StartedGateway): GatewayPod {
  return of === undefined
    ? { namespace: GATEWAY_NAMESPACE, name: GATEWAY_NAME, account: GATEWAY_ACCOUNT, labels: GATEWAY_LABELS }
    : { namespace: of.gateway.meta.namespace, name: of.name, account: of.name, labels: of.labels };
}

/** Not one of the virtual addresses that services without one are given: those shall not depend on these services. */
const addressOf = (at: number) => `240.241.${Math.floor(at / 250)}.${(at % 250) + 1}`;

function objectsOf(
  { namespace, name, account, labels }: GatewayPod,
  ports: readonly GatewayPort[],
  at: number,
): readonly object[] {
  const metadata = { name, namespace, labels };
  return [
    ...(namespace === GATEWAY_NAMESPACE ? [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }] : []),
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      // For callers from outside only: sidecars would listen for its ports too, and may not bind 80 or 443 without privilege.
      metadata: { ...metadata, annotations: { 'networking.istio.io/exportTo': namespace === GATEWAY_NAMESPACE ? '.' : '~' } },
      spec: {
        type: 'LoadBalancer',
        clusterIP: addressOf(at),
        selector: labels,
        ports: ports.map(({ port, bound }) => ({ name: `tcp-${port}`, port, targetPort: bound })),
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: account,
            containers: [{ name: 'istio-proxy', image: 'auto', ports: ports.map(({ bound }) => ({ containerPort: bound })) }],
          },
        },
      },
    },
  ];
}

/** The objects of the gateways that `up` starts of its own: YAML. */
export function gatewayObjects(gateways: readonly StartedGateway[]): string {
  return gateways
    .flatMap((one, at) => objectsOf(gatewayPodOf(one), one.ports, at))
    .map((object) => stringify(object))
    .join('---\n');
}
