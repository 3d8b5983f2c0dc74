import type { PolicyRule } from '../model/record.ts';

const NAME = /^ns\[([^[\]]+)\]-policy\[([^[\]]+)\]-rule\[(\d{1,9})\]$/;

const MARKED = /^istio-ext-authz-(.{1,128})-(ns\[[^[\]]+\]-policy\[[^[\]]+\]-rule\[\d{1,9}\])(-deny-due-to-bad-CUSTOM-action)?$/s;

/** A rule of a CUSTOM policy, and whom it has asked. */
export interface MarkedName {
  readonly provider: string;
  readonly by: PolicyRule;
  /** There is nobody to ask, so that the rule denies. */
  readonly unaskable: boolean;
}

/** Reads the name of a rule of a CUSTOM policy: `istio-ext-authz-PROVIDER-ns[NAMESPACE]-policy[NAME]-rule[N]`. */
export function parseMarkedName(text: string): MarkedName | undefined {
  const [, provider, rule, bad] = MARKED.exec(text) ?? [];
  const by = parsePolicyName(rule ?? '');
  return provider === undefined || by === undefined ? undefined : { provider, by, unaskable: bad !== undefined };
}

/** Reads the name that the policy compiler gives a rule: `ns[NAMESPACE]-policy[NAME]-rule[N]`. */
export function parsePolicyName(text: string): PolicyRule | undefined {
  const [, namespace, name, rule] = NAME.exec(text) ?? [];
  if (namespace === undefined || name === undefined || rule === undefined) return undefined;
  return { policy: `${namespace}/${name}`, rule: Number(rule) };
}
