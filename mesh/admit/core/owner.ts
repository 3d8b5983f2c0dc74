import { type Field, fieldsOf, itemsOf } from '../field.ts';
import type { Pod } from '../mesh-object.ts';
import { text } from '../scalar.ts';

/** What made an object, by the first of its `ownerReferences`. */
export function ownerIn(metadata: Field): Pod['owner'] {
  const { ownerReferences } = fieldsOf(metadata, ['ownerReferences'], 'tolerant');
  for (const item of itemsOf(ownerReferences)) {
    const fields = fieldsOf(item, ['kind', 'name'], 'tolerant');
    const kind = text(fields.kind);
    const name = text(fields.name);
    if (kind !== '' && name !== '') return { kind, name };
  }
  return undefined;
}
