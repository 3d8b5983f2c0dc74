import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { requiredText } from '../scalar.ts';

/** `providers: [{name: ...}]`. */
export function providerNames(field: Field): readonly string[] {
  return itemsOf(field).flatMap((item) => {
    const name = requiredText(fieldsOf(item, ['name']).name, 'the name of one of extensionProviders in the mesh configuration');
    return name === '' ? [] : [name];
  });
}
