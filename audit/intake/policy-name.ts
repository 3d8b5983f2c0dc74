import type { PolicyRule } from '../model/record.ts';

const NAME = /^ns\[([^[\]]+)\]-policy\[([^[\]]+)\]-rule\[(\d{1,9})\]$/;

/** Reads the name that the policy compiler gives a rule: `ns[NAMESPACE]-policy[NAME]-rule[N]`. */
export function parsePolicyName(text: string): PolicyRule | undefined {
  const [, namespace, name, rule] = NAME.exec(text) ?? [];
  if (namespace === undefined || name === undefined || rule === undefined) return undefined;
  return { policy: `${namespace}/${name}`, rule: Number(rule) };
}
