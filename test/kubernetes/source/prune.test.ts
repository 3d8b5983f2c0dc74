import assert from 'node:assert/strict';
import { pruned } from '../../../kubernetes/source/prune.ts';

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
