import assert from 'node:assert/strict';
import { skimmed } from '../../../kubernetes/api/skim.ts';
import { pruned, unreadOf } from '../../../kubernetes/source/prune.ts';

describe('what is kept of the objects of a cluster', () => {
  it('drops what changes without a change of meaning, and copies of the object in itself', () => {
    const before = {
      metadata: {
        name: 'web',
        namespace: 'shop',
        resourceVersion: '1',
        managedFields: [{ manager: 'kubectl' }],
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', team: 'web' },
      },
      spec: { hosts: ['web'] },
      status: { conditions: [] },
    };
    const kept = pruned('VirtualService', 'networking.istio.io/v1', before);
    assert.deepEqual(kept, {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'web', namespace: 'shop', annotations: { team: 'web' } },
      spec: { hosts: ['web'] },
    });
  });

  it('is the same when what is not read is left out of the text before', () => {
    const container = {
      name: 'web',
      image: 'web:1',
      args: ['a'],
      env: [{ name: 'PASSWORD', value: '"}]' }],
      resources: { limits: { cpu: '1' } },
      ports: [{ containerPort: 80 }],
      livenessProbe: { httpGet: { path: '/live', port: 80 } },
      securityContext: { runAsUser: 1 },
    };
    const pod = {
      metadata: {
        name: 'web-1',
        namespace: 'shop',
        labels: { env: 'prod', resources: 'few' },
        annotations: { volumes: '[]' },
        managedFields: [{ manager: 'kubelet', fieldsV1: { 'f:status': {} } }],
      },
      spec: { nodeName: 'n1', volumes: [], containers: [container], initContainers: [{ ...container, restartPolicy: 'Always' }] },
      status: { podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [{ name: 'web' }] },
    };
    const text = JSON.stringify(pod);
    const less = skimmed(Buffer.from(text), unreadOf('Pod')).toString();
    assert.ok(less.length < text.length / 1.5);
    assert.deepEqual(pruned('Pod', 'v1', JSON.parse(less)), pruned('Pod', 'v1', pod));
  });

  it('keeps of a Pod what the mesh needs: not its environment, volumes or heartbeats', () => {
    const kept = pruned('Pod', 'v1', {
      metadata: {
        name: 'web-1',
        namespace: 'shop',
        uid: 'u',
        ownerReferences: [{ kind: 'ReplicaSet', name: 'web-5', uid: 'r' }],
      },
      spec: {
        nodeName: 'n1',
        volumes: [{ name: 'secret' }],
        containers: [{ name: 'web', image: 'web:1', env: [{ name: 'PASSWORD', value: 'x' }], ports: [{ containerPort: 80 }] }],
      },
      status: { podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True', lastProbeTime: 'now' }] },
    });
    assert.deepEqual(kept, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-1', namespace: 'shop', uid: 'u', ownerReferences: [{ kind: 'ReplicaSet', name: 'web-5' }] },
      spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 80 }] }] },
      status: { podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    });
  });
});
