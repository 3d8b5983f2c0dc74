import { isDeepStrictEqual } from 'node:util';
import { isJson, type Json, mapAt, textAt } from '../api/json.ts';
import { LAST_APPLIED } from './field-owners.ts';

/** What the API server writes into `metadata`, and `get -o yaml` prints. */
const SERVERS_OWN: readonly string[] = Object.freeze([
  'managedFields',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'selfLink',
]);

/**
 * An object as its user wrote it, in a namespace: without what only the server writes. A resourceVersion stays: who writes one
 * wants the change to be refused when the object is another by then.
 */
export function asWritten(value: Json, namespace: string): Json {
  const { status: _, ...rest } = value;
  const metadata = Object.fromEntries(Object.entries(mapAt(value, 'metadata')).filter(([field]) => !SERVERS_OWN.includes(field)));
  const { annotations } = metadata;
  const own = isJson(annotations)
    ? Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== LAST_APPLIED))
    : {};
  const { annotations: _annotations, ...others } = metadata;
  return {
    ...rest,
    metadata: {
      ...others,
      ...(namespace !== '' && { namespace }),
      ...(Object.keys(own).length > 0 && { annotations: own }),
    },
  };
}

/**
 * With kubectl's copy of what was applied, where the object has one: `kubectl apply` without `--server-side` takes a field out only
 * when that copy has it.
 */
export function withCopy(written: Json, live: Json | undefined): Json {
  const copy = textAt(live, 'metadata', 'annotations', LAST_APPLIED);
  if (copy === '') return written;
  const metadata = mapAt(written, 'metadata');
  const annotations = mapAt(metadata, 'annotations');
  // As kubectl writes it; one that means the same stays, so that nothing changes.
  const made = { ...written, metadata: { ...metadata, annotations } };
  const text = isDeepStrictEqual(parsed(copy), made) ? copy : `${JSON.stringify(made)}\n`;
  return { ...written, metadata: { ...metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } };
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (!isJson(value)) return value;
    return { ...value, metadata: { ...mapAt(value, 'metadata'), annotations: mapAt(value, 'metadata', 'annotations') } };
  } catch {
    return undefined;
  }
}
