import type { BackendRef, ObjectRef, ParentRef, RouteFilter } from '../../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../../model/gateway-api-kinds.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { integer, optionalText, port, requiredText, text } from '../scalar.ts';

const REFERENCE = ['group', 'kind', 'namespace', 'name'] as const;

type ReferenceFields = Record<(typeof REFERENCE)[number], Field>;

function reference(fields: ReferenceFields, context: Context, group: string, kind: string): ObjectRef {
  return {
    group: fields.group.given ? text(fields.group) : group,
    kind: optionalText(fields.kind) ?? kind,
    namespace: optionalText(fields.namespace) ?? context.meta.namespace,
    name: requiredText(fields.name, 'as name: web'),
  };
}

export function objectRef(field: Field, context: Context, group: string, kind: string): ObjectRef {
  return reference(fieldsOf(field, REFERENCE), context, group, kind);
}

/** The Gateways (or, in the mesh, Services) that a route attaches to. */
export function parentRefs(field: Field, context: Context): readonly ParentRef[] {
  return itemsOf(field).map((item) => {
    const fields = fieldsOf(item, [...REFERENCE, 'sectionName', 'port']);
    return {
      ...reference(fields, context, GATEWAY_API_GROUP, 'Gateway'),
      namespaced: fields.namespace.given,
      sectionName: optionalText(fields.sectionName),
      port: port(fields.port),
    };
  });
}

const MOST_WEIGHT = 1_000_000;

/** @param filters reads the filters of this backend; undefined where the kind has none */
export function backendRef(item: Field, context: Context, filters: (field: Field) => readonly RouteFilter[]): BackendRef {
  const fields = fieldsOf(item, [...REFERENCE, 'port', 'weight', 'filters']);
  return {
    ...reference(fields, context, '', 'Service'),
    port: port(fields.port),
    weight: integer(fields.weight, 0, MOST_WEIGHT) ?? 1,
    filters: filters(fields.filters),
  };
}

/** Filters where the kind has none. */
export function noFilters(field: Field): readonly RouteFilter[] {
  if (field.given) field.error('unknown-field', 'backends of this kind have no filters', 'remove them');
  return [];
}
