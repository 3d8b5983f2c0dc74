import { type Record, listOf, recordOf } from './record.ts';

function nameOf(policy: Record, rule: number): string {
  const metadata = recordOf(policy['metadata']);
  return `ns[${String(metadata['namespace'])}]-policy[${String(metadata['name'])}]-rule[${rule}]`;
}

/** A policy that holds one condition of a policy's rule, or nothing but the rule. */
export interface Slice {
  /** The rule's name, as Envoy knows it. */
  readonly rule: string;
  readonly policy: Record;
}

function withRule(policy: Record, rule: unknown): Record {
  return { ...policy, spec: { ...recordOf(policy['spec']), rules: [rule] } };
}

/** Every rule of a policy by itself. */
export function rulesOf(policy: Record): readonly Slice[] {
  return listOf(recordOf(policy['spec'])['rules']).map((rule, index) => ({
    rule: nameOf(policy, index),
    policy: withRule(policy, rule),
  }));
}

/** Every list of values in the rules of a policy by itself; as a DENY policy, which any condition decides. */
export function conditionsOf(policy: Record): readonly Slice[] {
  const { provider: _, ...spec } = recordOf(policy['spec']);
  const denying = { ...policy, spec: { ...spec, action: 'DENY' } };
  return listOf(recordOf(policy['spec'])['rules']).flatMap((value, index) => {
    const rule = recordOf(value);
    const entries = (list: string, inner: string) =>
      listOf(rule[list]).flatMap((entry) =>
        Object.entries(recordOf(recordOf(entry)[inner])).map(([field, values]) => ({
          [list]: [{ [inner]: { [field]: values } }],
        })),
      );
    const when = listOf(rule['when']).flatMap((entry) => {
      const { key, ...lists } = recordOf(entry);
      return Object.entries(lists).map(([name, values]) => ({ when: [{ key, [name]: values }] }));
    });
    return [...entries('from', 'source'), ...entries('to', 'operation'), ...when].map((one) => ({
      rule: nameOf(policy, index),
      policy: withRule(denying, one),
    }));
  });
}

function positive(name: string): string {
  return name.startsWith('not') ? name.charAt(3).toLowerCase() + name.slice(4) : name;
}

/** Every value in the rules of a policy by itself, whether it is asked for or excluded. */
export function valuesOf(policy: Record): readonly Slice[] {
  return conditionsOf(policy).flatMap(({ rule, policy: sliced }) => {
    const [only] = listOf(recordOf(sliced['spec'])['rules']).map(recordOf);
    const [list, entries] = Object.entries(only ?? {})[0] ?? [];
    const entry = recordOf(listOf(entries)[0]);
    if (list === undefined) return [];
    const alone = (made: Record): Slice => ({ rule, policy: withRule(sliced, { [list]: [made] }) });
    if (list === 'when') {
      const { key, values, notValues } = entry;
      return [...listOf(values), ...listOf(notValues)].map((value) => alone({ key, values: [value] }));
    }
    return Object.entries(entry).flatMap(([inner, fields]) =>
      Object.entries(recordOf(fields)).flatMap(([field, values]) =>
        listOf(values).map((value) => alone({ [inner]: { [positive(field)]: [value] } })),
      ),
    );
  });
}
