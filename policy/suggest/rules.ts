import { type Seen, evidenceOf, together } from './evidence.ts';
import { type Did, productsOf, textOf } from './operations.ts';
import type { SuggestedRule } from './suggestion.ts';

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** By content alone, and by who calls first: evidence that comes or goes moves no other rule. */
function keyOfRule({ principals, ipBlocks, ports, methods, paths }: SuggestedRule): string {
  const numbers = ports.map((port) => String(port).padStart(5, '0'));
  return JSON.stringify([principals, ipBlocks, numbers, paths, methods]);
}

/** Rules that allow exactly this: callers that did the same share theirs. */
export function rulesOf(callers: ReadonlyMap<string, Did>, now: number): readonly SuggestedRule[] {
  const alike = new Map<string, string[]>();
  for (const [caller, did] of callers) {
    const [kind] = caller;
    const key = `${kind} ${[...did.keys()].sort().join('\n')}`;
    const group = alike.get(key);
    if (group === undefined) alike.set(key, [caller]);
    else group.push(caller);
  }
  const rules: SuggestedRule[] = [];
  for (const group of alike.values()) {
    const [first = ''] = group;
    const values = group.map((caller) => caller.slice(2)).sort(compare);
    const operations = [...(callers.get(first) ?? new Map<string, never>()).values()].map(({ operation }) => operation);
    for (const product of productsOf(operations)) {
      let all: Seen | undefined;
      for (const caller of group)
        for (const operation of product.operations) {
          const one = callers.get(caller)?.get(textOf(operation))?.seen;
          if (one !== undefined) all = together(all, one);
        }
      if (all === undefined) continue;
      const { ports, methods, paths } = product;
      rules.push({
        principals: first.startsWith('p') ? values : [],
        ipBlocks: first.startsWith('p') ? [] : values,
        ports,
        methods,
        paths,
        evidence: evidenceOf(all, now),
      });
    }
  }
  return rules
    .map((rule) => ({ rule, key: keyOfRule(rule) }))
    .sort((one, other) => compare(one.key, other.key))
    .map(({ rule }) => rule);
}
