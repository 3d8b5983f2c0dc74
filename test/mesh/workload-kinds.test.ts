import assert from 'node:assert/strict';
import { snapshotOf } from '../routing/compiled.ts';

const templated = (apiVersion: string, kind: string, name: string, owner = '') => `
apiVersion: ${apiVersion}
kind: ${kind}
metadata: {name: ${name}, namespace: shop${owner}}
spec: {template: {metadata: {labels: {app: ${name}}}, spec: {serviceAccountName: ${name}, containers: [{name: app}]}}}
---`;

const owned = (kind: string, name: string) => `, ownerReferences: [{kind: ${kind}, name: ${name}}]`;

const pod = (name: string, owner: string, address: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop${owner}}
spec: {containers: [{name: app}]}
status: {podIP: ${address}, phase: Running}
---`;

/** Each workload with the names of its instances. */
const workloads = (yaml: string) =>
  Object.fromEntries(snapshotOf(yaml).workloads.map(({ name, instances }) => [name, instances.map((one) => one.name).join(' ')]));

describe('workloads of every kind with a pod template', () => {
  it('have the Pods that they own, also through a ReplicaSet or a Job', () => {
    const yaml =
      templated('apps/v1', 'Deployment', 'web') +
      templated('apps/v1', 'ReplicaSet', 'web-5d4', owned('Deployment', 'web')) +
      templated('apps/v1', 'StatefulSet', 'db') +
      templated('apps/v1', 'DaemonSet', 'agent') +
      templated('apps/v1', 'ReplicaSet', 'alone') +
      templated('v1', 'ReplicationController', 'old') +
      templated('batch/v1', 'Job', 'once') +
      `
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {metadata: {labels: {app: nightly}}, spec: {containers: [{name: app}]}}}}
---` +
      pod('web-5d4-x', owned('ReplicaSet', 'web-5d4'), '10.0.0.1') +
      pod('web-777-y', owned('ReplicaSet', 'web-777'), '10.0.0.2') +
      pod('db-0', owned('StatefulSet', 'db'), '10.0.0.3') +
      pod('agent-z', owned('DaemonSet', 'agent'), '10.0.0.4') +
      pod('alone-q', owned('ReplicaSet', 'alone'), '10.0.0.5') +
      pod('old-1', owned('ReplicationController', 'old'), '10.0.0.6') +
      pod('once-1', owned('Job', 'once'), '10.0.0.7') +
      pod('nightly-28000-1', owned('Job', 'nightly-28000'), '10.0.0.8') +
      pod('bare', '', '10.0.0.9');
    assert.deepEqual(workloads(yaml), {
      agent: 'agent-z',
      alone: 'alone-q',
      bare: 'bare',
      db: 'db-0',
      nightly: 'nightly-28000-1',
      old: 'old-1',
      once: 'once-1',
      web: 'web-5d4-x web-777-y',
    });
  });

  it('of one name are told apart by their kind', () => {
    const yaml =
      templated('apps/v1', 'Deployment', 'web') +
      templated('apps/v1', 'StatefulSet', 'web') +
      pod('web-0', owned('StatefulSet', 'web'), '10.0.0.1') +
      pod('web-x-y', owned('ReplicaSet', 'web-x'), '10.0.0.2');
    assert.deepEqual(workloads(yaml), { web: 'web-x-y', 'web.statefulset': 'web-0' });
  });
});
