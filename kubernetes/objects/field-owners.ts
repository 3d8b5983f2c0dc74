import { isJson, type Json, mapAt, textAt } from '../api/json.ts';

/** Under which name fields that are applied are owned (kubernetes.io, "Server-Side Apply"). */
export const FIELD_MANAGER = 'gatehouse';

/** `kubectl apply` without `--server-side` writes as this one. */
const KUBECTL_APPLY = 'kubectl-client-side-apply';
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

const isTaken = (entry: Json): boolean =>
  textAt(entry, 'operation') === 'Update' &&
  textAt(entry, 'subresource') === '' &&
  [KUBECTL_APPLY, FIELD_MANAGER].includes(textAt(entry, 'manager'));

/**
 * The owners of an object's fields once what `kubectl apply`, and our own `create` and `replace`, wrote is owned as applied by us:
 * a field that is then left out of the file goes, which it would not while another owns it too. Undefined: nothing is to be taken over.
 * kubectl does the same with its own when it changes to `--server-side`.
 */
export function takenOver(object: Json): readonly Json[] | undefined {
  const entries = Array.isArray(mapAt(object, 'metadata')['managedFields']) ? mapAt(object, 'metadata')['managedFields'] : [];
  const all = Array.isArray(entries) ? entries.filter(isJson) : [];
  const taken = all.filter(isTaken);
  const [first] = taken;
  if (first === undefined) return undefined;
  const own = all.find(isOwn) ?? { ...first, manager: FIELD_MANAGER, operation: 'Apply' };
  const { apiVersion } = own;
  // Sets of fields of different versions cannot be joined.
  const fields = taken
    .filter((entry) => entry['apiVersion'] === apiVersion)
    .reduce<Json>((union, entry) => joined(union, mapAt(entry, 'fieldsV1')), mapAt(own, 'fieldsV1'));
  return [...all.filter((entry) => !isTaken(entry) && !isOwn(entry)), { ...own, fieldsV1: fields }];
}

const isOwn = (entry: Json): boolean =>
  textAt(entry, 'operation') === 'Apply' && textAt(entry, 'manager') === FIELD_MANAGER && textAt(entry, 'subresource') === '';

/** FieldsV1 is a tree of mappings. */
function joined(one: Json, other: Json): Json {
  const found: Record<string, unknown> = { ...one };
  for (const [field, inner] of Object.entries(other)) {
    const before = found[field];
    found[field] = isJson(before) && isJson(inner) ? joined(before, inner) : (before ?? inner);
  }
  return found;
}
