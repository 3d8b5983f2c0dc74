import { isJson, type Json, listAt, textAt } from '../api/json.ts';
import { GATEWAY_API_GROUP } from '../../mesh/model/gateway-api-kinds.ts';
import type { Resource } from './resources.ts';

/** Where certificates of authorities are named, in whatever part of an object of the Gateway API. */
const FIELD = 'caCertificateRefs';

/** What can be a name, and nothing else: one that the API server takes for a part of a question could hold up the start (RFC 1123 subdomain). */
const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** The ConfigMaps that an object names, as `NAMESPACE/NAME`. */
export function configMapsNamedBy({ group }: Pick<Resource, 'group'>, namespace: string, object: Json): ReadonlySet<string> {
  const found = new Set<string>();
  if (group === GATEWAY_API_GROUP) collect(object['spec'], namespace, found);
  return found;
}

function collect(value: unknown, namespace: string, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, namespace, found);
    return;
  }
  if (!isJson(value)) return;
  for (const reference of listAt(value, FIELD)) {
    const name = textAt(reference, 'name');
    const where = textAt(reference, 'namespace') || namespace;
    if (textAt(reference, 'kind') === 'ConfigMap' && NAME.test(name) && NAME.test(where)) found.add(`${where}/${name}`);
  }
  for (const inner of Object.values(value)) collect(inner, namespace, found);
}
