import { stringify } from 'yaml';
import { commonLabels, instanceName, PORTS } from './names.ts';
import type { KubernetesObject } from './object.ts';
import type { InstallOptions } from './options.ts';

/** MeshConfig as a file of the container. What is changed here takes effect without a restart, as in a folder. */
export function meshConfig(options: InstallOptions): KubernetesObject {
  const mesh = {
    trustDomain: options.trustDomain,
    rootNamespace: options.rootNamespace,
    defaultConfig: { discoveryAddress: `${instanceName(options)}.${options.namespace}.svc:${PORTS.grpc}` },
  };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: instanceName(options), namespace: options.namespace, labels: commonLabels(options) },
    data: { 'mesh.yaml': stringify(mesh) },
  };
}
