import { parseNamedObjects } from './annotations.ts';
import type { Context } from './context.ts';
import { type JsonObject, textAt } from './json.ts';

/** The volumes that the proxy's mounts need. Token and roots have Istio's places, so that its agent finds them as well. */
export function volumesOf({ annotations, settings, pod }: Context, kind: 'sidecar' | 'router'): readonly JsonObject[] {
  const override = annotations['sidecar.istio.io/bootstrapOverride'];
  const own = parseNamedObjects(annotations['sidecar.istio.io/userVolume'] ?? '{}');
  return [
    { name: 'workload-socket', emptyDir: {} },
    { name: 'credential-socket', emptyDir: {} },
    { name: 'workload-certs', emptyDir: {} },
    ...(override === undefined ? [] : [{ name: 'custom-bootstrap-volume', configMap: { name: override } }]),
    // In memory: sockets and bootstrap; a private key is in neither.
    { name: 'istio-envoy', emptyDir: { medium: 'Memory' } },
    { name: 'istio-data', emptyDir: {} },
    {
      name: 'istio-podinfo',
      downwardAPI: {
        items: ['labels', 'annotations'].map((path) => ({ path, fieldRef: { fieldPath: `metadata.${path}` } })),
      },
    },
    {
      name: 'istio-token',
      projected: { sources: [{ serviceAccountToken: { path: 'istio-token', expirationSeconds: 43_200, audience: 'istio-ca' } }] },
    },
    { name: 'istiod-ca-cert', configMap: { name: 'istio-ca-root-cert' } },
    ...(kind === 'sidecar' ? [{ name: 'istio-ca-crl', configMap: { name: 'istio-ca-crl', optional: true } }] : []),
    ...(settings.mountCertificates
      ? [
          {
            name: 'istio-certs',
            secret: { optional: true, secretName: `istio.${textAt(pod.spec, 'serviceAccountName') ?? 'default'}` },
          },
        ]
      : []),
    ...(own.ok ? Object.entries(own.value).map(([name, value]) => ({ name, ...value })) : []),
  ];
}
