import type { Json } from '../api/json.ts';
import type { Condition } from './conditions.ts';
import type { Observed } from './observed.ts';

/** What `kubectl describe` shows below an object that was refused (Kubernetes API reference, Event v1). */
export function refusalEvent(object: Observed, namespace: string, refusal: Condition, now: Date): Json {
  const { apiVersion, resource, name, uid, resourceVersion } = object;
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { generateName: `${name.slice(0, 200)}.`, namespace },
    involvedObject: {
      apiVersion,
      kind: resource.kind,
      ...(object.namespace !== '' && { namespace: object.namespace }),
      name,
      uid,
      resourceVersion,
    },
    type: 'Warning',
    reason: 'Refused',
    message: refusal.message,
    source: { component: 'gatehouse' },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}
