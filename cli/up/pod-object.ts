import { stringify } from 'yaml';
import type { Placement } from './place.ts';
import type { Pod } from './pod.ts';

/** The Kubernetes Pod for a pod, as YAML: what tells the control plane where instances are. */
export function podObject(pod: Pod, placement: Placement['kind'], ready: boolean): string {
  const owner = pod.owner ?? { kind: 'Deployment', name: pod.workload };
  const meshed = pod.kind !== 'plain';
  const capture = placement === 'netns' ? 'redirect' : 'explicit';
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: pod.name,
      namespace: pod.namespace,
      labels: { ...pod.labels, ...(meshed ? { 'security.istio.io/tlsMode': 'istio' } : {}) },
      annotations: {
        'gatehouse.dev/capture': capture,
        ...(capture === 'explicit' ? { 'gatehouse.dev/app-address': pod.appAddress } : {}),
        ...(pod.bindAddress === undefined ? {} : { 'gatehouse.dev/bind-address': pod.bindAddress }),
      },
      ownerReferences: [
        {
          apiVersion: owner.kind === 'Job' ? 'batch/v1' : 'apps/v1',
          kind: owner.kind,
          name: owner.name,
          uid: `${pod.namespace}.${pod.workload}`,
          controller: true,
        },
      ],
    },
    spec: {
      serviceAccountName: pod.serviceAccount,
      containers: [
        {
          name: pod.kind === 'router' ? 'istio-proxy' : 'app',
          image: 'local',
          ports: pod.ports.map(({ name, port }) => ({ ...(name === undefined ? {} : { name }), containerPort: port })),
        },
      ],
    },
    status: {
      phase: 'Running',
      podIP: pod.ip,
      ...(pod.ip6 === undefined ? {} : { podIPs: [{ ip: pod.ip }, { ip: pod.ip6 }] }),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  });
}
