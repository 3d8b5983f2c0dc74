import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { requiredText } from '../scalar.ts';

const BUILT_IN: ReadonlySet<string> = new Set(['envoy', 'prometheus', 'stackdriver']);

/** `providers: [{name: ...}]`. */
function providerNames(field: Field): readonly string[] {
  return itemsOf(field).flatMap((item) => {
    const name = requiredText(fieldsOf(item, ['name']).name, 'the name of one of extensionProviders in the mesh configuration');
    return name === '' ? [] : [name];
  });
}

/** Names of providers; one that MeshConfig does not have is said, since nothing would come of it. */
export function knownProviders(field: Field, { meshConfig }: Context): readonly string[] {
  const names = providerNames(field);
  for (const name of names) {
    if (BUILT_IN.has(name) || meshConfig.extensionProviders?.some((one) => one.name === name) === true) continue;
    field.warning(
      'no-such-provider',
      `the mesh configuration has no provider "${shorten(name)}"; nothing is sent to it`,
      'add it to extensionProviders of --mesh-config',
    );
  }
  return names;
}
