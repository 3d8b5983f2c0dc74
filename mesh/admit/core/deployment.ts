import type { Context } from '../context.ts';
import { Field, fieldsOf } from '../field.ts';
import type { TemplatedKind } from '../../model/templated-kinds.ts';
import type { Deployment } from '../mesh-object.ts';
import type { Node } from '../node.ts';
import { integer } from '../scalar.ts';
import { ownerIn } from './owner.ts';
import { podShape } from './pod-shape.ts';

const MOST = 100_000;

/** How many pods are wanted: of a DaemonSet one, since there is one machine to speak of; a CronJob runs when its time comes. */
function replicasOf(kind: TemplatedKind, spec: Field): number {
  const { replicas, parallelism, suspend } = fieldsOf(spec, ['replicas', 'parallelism', 'suspend'], 'tolerant');
  switch (kind) {
    case 'Deployment':
    case 'StatefulSet':
    case 'ReplicaSet':
    case 'ReplicationController':
      return integer(replicas, 0, MOST) ?? 1;
    case 'DaemonSet':
      return 1;
    case 'Job':
      return suspend.node?.kind === 'scalar' && suspend.node.value === true ? 0 : (integer(parallelism, 0, MOST) ?? 1);
    case 'CronJob':
      return 0;
  }
  return kind satisfies never;
}

/** A CronJob's template is that of the Jobs that it makes. */
function templateOf(kind: TemplatedKind, spec: Field): Field {
  if (kind !== 'CronJob') return fieldsOf(spec, ['template'], 'tolerant').template;
  const { jobTemplate } = fieldsOf(spec, ['jobTemplate'], 'tolerant');
  const job = fieldsOf(jobTemplate, ['spec'], 'tolerant').spec;
  return fieldsOf(job, ['template'], 'tolerant').template;
}

/** Reads what has a pod template; `root` is read again for the owner. */
export function readTemplated(kind: TemplatedKind, spec: Field, context: Context, root: Node): Deployment {
  const template = templateOf(kind, spec);
  if (!template.given)
    spec.error(
      'missing-field',
      `a ${kind} needs a pod template`,
      'as template: {metadata: {labels: ...}, spec: {containers: ...}}',
    );
  const pod = fieldsOf(template, ['metadata', 'spec'], 'tolerant');
  const owner = ownerIn(fieldsOf(new Field(root, '', root.line, spec.report), ['metadata'], 'tolerant').metadata);
  return {
    meta: context.meta,
    replicas: replicasOf(kind, spec),
    ...(owner === undefined ? {} : { owner }),
    ...podShape(pod.metadata, pod.spec),
  };
}
