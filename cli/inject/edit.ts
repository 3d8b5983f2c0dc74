import { type Document, isMap, isScalar, isSeq, type YAMLMap, type YAMLSeq } from 'yaml';
import { isObject, type Json, type JsonObject } from '../../kubernetes/inject/json.ts';

/** Changes a document so that it says `after`, and leaves alone (with comments and style) whatever says so already. */
export function edit(document: Document, after: JsonObject): void {
  if (isMap(document.contents)) editMap(document, document.contents, after);
}

function editMap(document: Document, map: YAMLMap, after: JsonObject): void {
  for (const { key } of [...map.items]) {
    const name = isScalar(key) ? String(key.value) : String(key);
    if (after[name] === undefined) map.delete(key);
  }
  for (const [name, value] of Object.entries(after)) {
    if (value === undefined) continue;
    const before = map.get(name, true);
    if (isMap(before) && isObject(value)) editMap(document, before, value);
    else if (isSeq(before) && Array.isArray(value)) editList(document, before, value);
    else if (!isScalar(before) || before.value !== value)
      map.set(name, document.createNode(value, { aliasDuplicateObjects: false }));
  }
}

/** Items that have a name are followed by it; all others by their place. */
function editList(document: Document, list: YAMLSeq, after: readonly Json[]): void {
  const before = [...list.items];
  const named = new Map(
    before.flatMap((item) => (isMap(item) && typeof item.get('name') === 'string' ? [[item.get('name'), item]] : [])),
  );
  list.items = after.map((value, index) => {
    const item = isObject(value) && typeof value['name'] === 'string' ? named.get(value['name']) : before[index];
    if (isMap(item) && isObject(value)) {
      editMap(document, item, value);
      return item;
    }
    return isScalar(item) && item.value === value ? item : document.createNode(value, { aliasDuplicateObjects: false });
  });
}
