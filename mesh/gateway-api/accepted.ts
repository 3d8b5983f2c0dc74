import type { KubernetesGateway } from '../model/gateway-api.ts';
import { nameOf } from './listener-references.ts';
import type { Reason } from './reason.ts';
import type { World } from './world.ts';

/** Why a Gateway as a whole is not served, whatever its listeners are. */
export function gatewayProblem(world: World, { parameters, otherAddresses }: KubernetesGateway): Reason | undefined {
  if (parameters !== undefined && world.configMap(parameters) === undefined)
    return {
      reason: 'InvalidParameters',
      message: `there is no ${nameOf(parameters)}`,
      field: 'spec.infrastructure.parametersRef',
    };
  const strange = otherAddresses.find(({ type }) => type !== 'IPAddress');
  if (strange !== undefined)
    return { reason: 'UnsupportedAddress', message: `no address can be of type ${strange.type}`, field: 'spec.addresses' };
  return undefined;
}
