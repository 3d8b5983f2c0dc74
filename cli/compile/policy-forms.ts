import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { Any } from '@bufbuild/protobuf/wkt';
import { RBACSchema as HttpRbacSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import { RBACSchema as TcpRbacSchema } from '#gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js';
import type { Matcher, Matcher_OnMatch } from '#gen/xds/type/matcher/v3/matcher_pb.js';
import type { InboundSecurity } from '../../routing/security.ts';

/** How one filter writes the rules that it decides by: see docs/decisions/0003 and 0012. A type, so that it is JSON. */
export type PolicyForm = {
  readonly filter: string;
  readonly form: 'rules' | 'matcher' | 'dry run only';
  readonly rules: number;
  readonly bytes: number;
};

function namesIn({ matcherType, onNoMatch }: Matcher): readonly string[] {
  const of = ({ onMatch }: Matcher_OnMatch): readonly string[] => {
    if (onMatch.case === 'matcher') return namesIn(onMatch.value);
    const { typedConfig } = onMatch.value ?? {};
    // The action holds the rule's name and nothing else that differs.
    return typedConfig === undefined ? [] : [Buffer.from(typedConfig.value).toString('latin1')];
  };
  const inner = (): readonly string[] => {
    if (matcherType.case === 'matcherList')
      return matcherType.value.matchers.flatMap(({ onMatch }) => (onMatch === undefined ? [] : of(onMatch)));
    const tree = matcherType.case === 'matcherTree' ? matcherType.value.treeType : undefined;
    return tree?.case === 'exactMatchMap' ? Object.values(tree.value.map).flatMap(of) : [];
  };
  return [...inner(), ...(onNoMatch === undefined ? [] : of(onNoMatch))];
}

function formOf(filter: string, any: Any): PolicyForm | undefined {
  const rbac = anyUnpack(any, HttpRbacSchema) ?? anyUnpack(any, TcpRbacSchema);
  if (rbac === undefined) return undefined;
  const bytes = any.value.length;
  if (rbac.matcher !== undefined) return { filter, form: 'matcher', rules: new Set(namesIn(rbac.matcher)).size, bytes };
  if (rbac.rules !== undefined) return { filter, form: 'rules', rules: Object.keys(rbac.rules.policies).length, bytes };
  const dry = Object.keys(rbac.shadowRules?.policies ?? {}).length;
  return dry === 0 ? undefined : { filter, form: 'dry run only', rules: dry, bytes };
}

/** The filters that decide by policy, and the form of each. */
export function policyForms(security: InboundSecurity): readonly PolicyForm[] {
  return [...security.httpFilters(), ...security.networkFilters()].flatMap(({ name, configType }) => {
    const form = configType.case === 'typedConfig' ? formOf(name, configType.value) : undefined;
    return form === undefined ? [] : [form];
  });
}
