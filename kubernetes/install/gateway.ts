import type { KubernetesObject } from './object.ts';
import { DEFAULT_REVISION, type GatewayName, type InstallOptions } from './options.ts';

/**
 * A gateway as Istio's chart makes one: a Deployment without a proxy of its own, which the injector completes from the template
 * `gateway`, and `istio: NAME` without the prefix `istio-` as label for the selectors of Gateways.
 */
export function gatewayObjects(options: InstallOptions, { namespace, name }: GatewayName): readonly KubernetesObject[] {
  const selector = { app: name, istio: name.replace(/^istio-/, '') };
  const labels = { ...selector, 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'gatehouse' };
  const revision = options.revision === DEFAULT_REVISION ? {} : { 'istio.io/rev': options.revision };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace, labels } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, labels },
      spec: {
        selector: { matchLabels: selector },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        template: {
          metadata: {
            labels: { ...labels, ...revision, 'sidecar.istio.io/inject': 'true' },
            annotations: { 'inject.istio.io/templates': 'gateway' },
          },
          spec: {
            serviceAccountName: name,
            // Ports below 1024 without a capability.
            securityContext: { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
            containers: [
              {
                name: 'istio-proxy',
                // The injector puts the proxy's image here.
                image: 'auto',
                ports: [{ name: 'http-envoy-prom', containerPort: 15090, protocol: 'TCP' }],
                securityContext: {
                  allowPrivilegeEscalation: false,
                  capabilities: { drop: ['ALL'] },
                  privileged: false,
                  readOnlyRootFilesystem: true,
                  runAsNonRoot: true,
                },
                resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '1Gi' } },
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace, labels },
      spec: {
        type: 'LoadBalancer',
        selector,
        ports: [
          { name: 'status-port', port: 15021, targetPort: 15021, protocol: 'TCP' },
          { name: 'http2', port: 80, targetPort: 80, protocol: 'TCP' },
          { name: 'https', port: 443, targetPort: 443, protocol: 'TCP' },
        ],
      },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name, namespace, labels },
      spec: { minAvailable: 1, selector: { matchLabels: selector } },
    },
  ];
}
