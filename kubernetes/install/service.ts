import { commonLabels, instanceName, PORTS, selectorLabels } from './names.ts';
import type { KubernetesObject } from './object.ts';
import type { InstallOptions } from './options.ts';

/** 443 is where the API server calls webhooks. */
export function service(options: InstallOptions): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: instanceName(options), namespace: options.namespace, labels: commonLabels(options) },
    spec: {
      selector: selectorLabels(options),
      ports: [
        { name: 'grpc-xds', port: PORTS.grpc, targetPort: 'grpc-xds', protocol: 'TCP', appProtocol: 'grpc' },
        { name: 'https-webhook', port: 443, targetPort: 'https-webhook', protocol: 'TCP', appProtocol: 'https' },
        { name: 'http-status', port: PORTS.status, targetPort: 'http-status', protocol: 'TCP', appProtocol: 'http' },
        ...(options.page === undefined
          ? []
          : [{ name: 'https-page', port: PORTS.page, targetPort: 'https-page', protocol: 'TCP', appProtocol: 'https' }]),
      ],
    },
  };
}

/** A drain of nodes leaves one replica at least. */
export function disruptionBudget(options: InstallOptions): KubernetesObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: instanceName(options), namespace: options.namespace, labels: commonLabels(options) },
    spec: { minAvailable: 1, selector: { matchLabels: selectorLabels(options) } },
  };
}

/** Who may connect is decided by certificates and tokens; the policy closes every port that is not served. */
export function networkPolicy(options: InstallOptions): KubernetesObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: instanceName(options), namespace: options.namespace, labels: commonLabels(options) },
    spec: {
      podSelector: { matchLabels: selectorLabels(options) },
      policyTypes: ['Ingress'],
      ingress: [
        {
          ports: [PORTS.grpc, PORTS.webhooks, PORTS.status, ...(options.page === undefined ? [] : [PORTS.page])].map((port) => ({
            port,
            protocol: 'TCP',
          })),
        },
      ],
    },
  };
}
