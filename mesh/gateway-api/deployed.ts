import type { KubernetesGateway } from '../model/gateway-api.ts';
import type { Labels } from '../model/object.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { GATEWAY_NAME_LABEL } from '../model/target-ref.ts';
import { standing } from './classes.ts';

/** A proxy to be made for a Gateway, under the names that Istio gives one. */
export interface DeployedGateway {
  readonly gateway: KubernetesGateway;
  /** Of the Deployment, the Service and the service account. */
  readonly name: string;
  readonly labels: Labels;
}

/** Gateways whose proxies nobody has brought: no Deployment bears their label, and no Service is named by `spec.addresses`. */
export function deployedGateways({ gatewayApi, workloads }: Snapshot): readonly DeployedGateway[] {
  const classes = new Map(
    gatewayApi.flatMap((one) => (one.kind === 'GatewayClass' ? [[one.value.meta.name, one.value] as const] : [])),
  );
  return gatewayApi.flatMap((one) => {
    if (one.kind !== 'KubernetesGateway') return [];
    const { meta, className, addresses } = one.value;
    if (addresses.length > 0 || standing(classes, className).kind !== 'served') return [];
    const brought = workloads.some(
      ({ namespace, labels, name }) =>
        namespace === meta.namespace && labels[GATEWAY_NAME_LABEL] === meta.name && name !== `${meta.name}-${className}`,
    );
    if (brought) return [];
    const labels = {
      ...meta.labels,
      [GATEWAY_NAME_LABEL]: meta.name,
      'gateway.networking.k8s.io/gateway-class-name': className,
    };
    return [{ gateway: one.value, name: `${meta.name}-${className}`, labels }];
  });
}
