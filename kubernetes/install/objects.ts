import { accessObjects } from './access.ts';
import { deployment } from './deployment.ts';
import { gatewayObjects } from './gateway.ts';
import { meshConfig } from './mesh-config.ts';
import { nodeAgentObjects } from './node-agent.ts';
import type { KubernetesObject } from './object.ts';
import { DEFAULT_REVISION, type InstallOptions } from './options.ts';
import { disruptionBudget, networkPolicy, service } from './service.ts';
import { injector, validator } from './webhooks.ts';

/**
 * All objects of an installation, in the order in which they can be applied: what others refer to stands before them, and webhooks come
 * last, when there is something that can answer.
 * @param crds the definitions that `options.crds` asks for; they are files, so whoever calls reads them
 */
export function installObjects(options: InstallOptions, crds: readonly KubernetesObject[]): readonly KubernetesObject[] {
  return [
    ...namespaces(options),
    ...crds,
    ...accessObjects(options),
    meshConfig(options),
    service(options),
    deployment(options),
    ...(options.replicas > 1 ? [disruptionBudget(options)] : []),
    ...(options.networkPolicy ? [networkPolicy(options)] : []),
    ...options.gateways.flatMap((gateway) => gatewayObjects(options, gateway)),
    ...(options.nodeAgent ? nodeAgentObjects(options) : []),
    injector(options),
    validator(options),
  ];
}

/**
 * Its own namespace alone; those of gateways belong to others. Only the default revision has it: `install --revision canary | kubectl delete`
 * must leave the others where they are. `restricted` is what its pods keep to.
 */
function namespaces({ namespace, revision }: InstallOptions): readonly KubernetesObject[] {
  if (revision !== DEFAULT_REVISION) return [];
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        labels: { 'pod-security.kubernetes.io/enforce': 'restricted', 'istio-injection': 'disabled' },
      },
    },
  ];
}
