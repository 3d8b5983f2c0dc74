import type { Context } from '../context.ts';
import { type Field, fieldsOf } from '../field.ts';
import type { Deployment } from '../mesh-object.ts';
import { integer } from '../scalar.ts';
import { podShape } from './pod-shape.ts';

export function readDeployment(spec: Field, context: Context): Deployment {
  const fields = fieldsOf(spec, ['replicas', 'template'], 'tolerant');
  if (!fields.template.given)
    spec.error(
      'missing-field',
      'a Deployment needs a pod template',
      'as template: {metadata: {labels: ...}, spec: {containers: ...}}',
    );
  const template = fieldsOf(fields.template, ['metadata', 'spec'], 'tolerant');
  return {
    meta: context.meta,
    replicas: integer(fields.replicas, 0, 100_000) ?? 1,
    ...podShape(template.metadata, template.spec),
  };
}
