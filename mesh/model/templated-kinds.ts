/** Kinds whose objects are workloads: they have a pod template, and own the Pods made of it. */
export const TEMPLATED_KINDS = Object.freeze([
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'Job',
  'CronJob',
] as const);
export type TemplatedKind = (typeof TEMPLATED_KINDS)[number];

export function isTemplated(kind: string): kind is TemplatedKind {
  return TEMPLATED_KINDS.some((one) => one === kind);
}
