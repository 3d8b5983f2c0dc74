import type { Condition } from './condition.ts';
import type { ObjectStatus, Status } from './status.ts';

// What a controller must keep of a status that is there (Gateway API, notes for implementors): conditions of others and their parents,
// and the time at which a condition last changed.

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const listAt = (value: unknown, key: string): readonly Fields[] => {
  const found = isFields(value) ? value[key] : undefined;
  return Array.isArray(found) ? found.filter(isFields) : [];
};

interface Stamp {
  /** `metadata.generation` of the object that was judged. */
  readonly generation: number | undefined;
  readonly now: Date;
}

function conditions(ours: readonly Condition[], before: readonly Fields[], { generation, now }: Stamp): readonly Fields[] {
  const written = ours.map((one) => {
    const old = before.find(({ type }) => type === one.type);
    const same = old?.['status'] === one.status && typeof old['lastTransitionTime'] === 'string';
    return {
      ...one,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastTransitionTime: same ? old['lastTransitionTime'] : now.toISOString().replace(/\.\d+Z$/, 'Z'),
    };
  });
  return [...written, ...before.filter(({ type }) => ours.every((one) => one.type !== type))];
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

function sorted(value: unknown): unknown {
  return isFields(value) ? Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)) : value;
}

function byKey<T extends { readonly conditions: readonly Condition[] }>(
  ours: readonly T[],
  before: readonly Fields[],
  key: (one: Fields | T) => unknown,
  stamp: Stamp,
): readonly Fields[] {
  return ours.map((one) => {
    const old = before.find((each) => same(key(each), key(one)));
    return { ...one, conditions: conditions(one.conditions, listAt(old, 'conditions'), stamp) };
  });
}

const at = (field: string) => (one: object) => (isFields(one) ? one[field] : undefined);

function merged(status: Status, before: unknown, stamp: Stamp, mine: ReadonlySet<unknown>): Fields {
  const others = (field: string) => listAt(before, field).filter(({ controllerName }) => !mine.has(controllerName));
  if ('parents' in status)
    return { parents: [...byKey(status.parents, listAt(before, 'parents'), at('parentRef'), stamp), ...others('parents')] };
  if ('ancestors' in status)
    return {
      ancestors: [...byKey(status.ancestors, listAt(before, 'ancestors'), at('ancestorRef'), stamp), ...others('ancestors')],
    };
  const all = { ...status, conditions: conditions(status.conditions, listAt(before, 'conditions'), stamp) };
  return 'listeners' in status
    ? { ...all, listeners: byKey(status.listeners, listAt(before, 'listeners'), at('name'), stamp) }
    : all;
}

/**
 * The status to write for an object.
 * @param before what stands there, of whatever shape
 * @param controllers names under which this control plane answers: what others wrote stays
 */
export function mergedStatus(
  { status }: ObjectStatus,
  before: unknown,
  stamp: Stamp,
  controllers: readonly string[],
): Readonly<Record<string, unknown>> {
  const kept = isFields(before) ? before : {};
  return { ...kept, ...merged(status, before, stamp, new Set(controllers)) };
}
