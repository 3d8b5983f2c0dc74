import type { AuthorizationPolicy, Operation, Rule, Source } from '../../mesh/model/authorization-policy.ts';
import { requestPrincipals } from './claims.ts';
import { type WhenTests, whenTests } from './condition.ts';
import { type RuleContext, blocks, condition } from './field.ts';
import { namespaces, principals, serviceAccounts, trustDomains } from './identity.ts';
import { asksForHttp, hosts, methods, paths, ports } from './operation.ts';
import { doubt } from './stance.ts';
import { type CompiledRule, type OperationLeaf, type SourceLeaf, type Tree, all, always, any } from './test.ts';

function source(from: Source, context: RuleContext): Tree<SourceLeaf> {
  const { stance, meshConfig, namespace, layer } = context;
  return all([
    condition(from.principals, stance, (values) => principals(values, meshConfig)),
    condition(from.namespaces, stance, (values) => namespaces(values)),
    condition(from.serviceAccounts, stance, (values, toward) => serviceAccounts(values, namespace, doubt(toward))),
    condition(from.trustDomains, stance, (values) => trustDomains(values)),
    condition(from.ipBlocks, stance, (values, toward) => blocks('direct-address', values, toward)),
    condition(from.remoteIpBlocks, stance, (values, toward) => blocks('remote-address', values, toward)),
    layer === 'tcp' ? always() : condition(from.requestPrincipals, stance, (values) => requestPrincipals(values)),
  ]);
}

function operation(to: Operation, context: RuleContext): Tree<OperationLeaf> {
  const { stance, layer } = context;
  const onHttp = (test: () => Tree<OperationLeaf>): Tree<OperationLeaf> => (layer === 'tcp' ? always() : test());
  return all([
    condition(to.ports, stance, ports),
    onHttp(() => condition(to.hosts, stance, hosts)),
    onHttp(() => condition(to.methods, stance, methods)),
    onHttp(() => condition(to.paths, stance, paths)),
  ]);
}

function ruleAsksForHttp(rule: Rule, conditions: WhenTests): boolean {
  return (
    conditions.asksForHttp ||
    rule.to.some(asksForHttp) ||
    rule.from.some((from) => from.requestPrincipals.values.length + from.requestPrincipals.notValues.length > 0)
  );
}

/** The name under which Envoy knows a rule; audit reads policy and rule back from it. */
export function ruleName(policy: AuthorizationPolicy, index: number): string {
  return `ns[${policy.meta.namespace}]-policy[${policy.meta.name}]-rule[${index}]`;
}

/**
 * One rule as tests, or undefined when it can never match. On TCP, a rule that grants and asks for anything of HTTP is
 * dropped whole; one that refuses loses only its HTTP fields, and so refuses more. A condition with an unknown key drops
 * a rule that grants, and counts as true in one that refuses.
 */
export function compileRule(
  policy: AuthorizationPolicy,
  index: number,
  rule: Rule,
  context: RuleContext,
): CompiledRule | undefined {
  const conditions = whenTests(rule.when, context);
  if (context.layer === 'tcp' && context.stance === 'grant' && ruleAsksForHttp(rule, conditions)) return undefined;
  const compiled = {
    name: ruleName(policy, index),
    source: all([rule.from.length === 0 ? always() : any(rule.from.map((from) => source(from, context))), ...conditions.source]),
    operation: all([rule.to.length === 0 ? always() : any(rule.to.map((to) => operation(to, context))), ...conditions.operation]),
  };
  return compiled.source.op === 'never' || compiled.operation.op === 'never' ? undefined : compiled;
}
