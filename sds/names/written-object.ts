import { parseAllDocuments } from 'yaml';

export type Fields = Readonly<Record<string, unknown>>;

/** An object of Kubernetes as it is written, with its name. */
export interface Written {
  readonly namespace: string;
  readonly name: string;
  readonly value: Fields;
}

export const isRecord = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** All objects of a text, also those in Lists. Undefined when it is no YAML. */
export function writtenObjects(text: string): readonly Written[] | undefined {
  try {
    return objectsOf(text);
  } catch {
    // Aliases that multiply, nesting without end: one such file must not hold up the others.
    return undefined;
  }
}

function objectsOf(text: string): readonly Written[] | undefined {
  const found: Written[] = [];
  const documents = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: true });
  for (const document of documents) {
    if (document.errors.length > 0) return undefined;
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    const items = isRecord(value) && value['kind'] === 'List' && Array.isArray(value['items']) ? value['items'] : [value];
    for (const item of items as readonly unknown[]) {
      if (!isRecord(item)) continue;
      const metadata = isRecord(item['metadata']) ? item['metadata'] : {};
      const { name, namespace = 'default' } = metadata;
      if (typeof name === 'string' && typeof namespace === 'string') found.push({ namespace, name, value: item });
    }
  }
  return found;
}
