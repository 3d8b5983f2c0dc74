import { isClusterScoped } from '../model/gateway-api-kinds.ts';
import type { Kind, Labels, Meta } from '../model/object.ts';
import { entriesOf, type Field, fieldsOf } from './field.ts';
import { isNamespaceName } from './hosts.ts';
import { shorten } from './node.ts';
import { optionalText, requiredText, text } from './scalar.ts';

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Reads `metadata`. Kubernetes owns it, so fields that are not needed here are left alone. */
export function metadata(
  field: Field,
  kind: Kind,
  apiVersion: string,
  place: { file: string; line: number; defaultNamespace: string },
): Meta {
  const fields = fieldsOf(field, ['name', 'namespace', 'labels', 'annotations', 'creationTimestamp'], 'tolerant');
  const name = requiredText(fields.name, 'as metadata: {name: my-name}');
  if (name !== '' && !NAME.test(name))
    fields.name.error('bad-name', `"${shorten(name)}" is no object name`, 'lower-case letters, digits, "-" and "."');
  const namespace = optionalText(fields.namespace) ?? place.defaultNamespace;
  if (!isNamespaceName(namespace))
    fields.namespace.error('bad-namespace', `"${shorten(namespace)}" is no namespace`, 'lower-case letters, digits and "-"');
  const created = Date.parse(text(fields.creationTimestamp));
  return {
    kind,
    apiVersion,
    namespace: isClusterScoped(kind) ? '' : namespace,
    name,
    labels: stringMap(fields.labels),
    annotations: stringMap(fields.annotations),
    createdAt: Number.isNaN(created) ? undefined : created,
    origin: { file: place.file, line: place.line },
  };
}

/** Labels and annotations: a number or a boolean without quotes is what Kubernetes refuses too. */
export function stringMap(field: Field): Labels {
  return Object.fromEntries(entriesOf(field).map(([name, value]) => [name, text(value)]));
}
