import type { SuggestedPolicy, SuggestedRule, Suggestion } from './suggestion.ts';

export interface ManifestOptions {
  /** Judged and told of, without effect. */
  readonly dryRun: boolean;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface PolicyManifest {
  readonly apiVersion: 'security.istio.io/v1';
  readonly kind: 'AuthorizationPolicy';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly action: 'ALLOW';
    readonly rules?: readonly RuleManifest[];
  };
}

export interface RuleManifest {
  readonly from?: readonly {
    readonly source: { readonly principals?: readonly string[]; readonly ipBlocks?: readonly string[] };
  }[];
  readonly to?: readonly {
    readonly operation: {
      readonly ports?: readonly string[];
      readonly methods?: readonly string[];
      readonly paths?: readonly string[];
    };
  }[];
}

type Operation = NonNullable<RuleManifest['to']>[number]['operation'];

function operationOf({ ports, methods, paths }: SuggestedRule): Operation {
  return {
    ...(ports.length > 0 ? { ports: ports.map(String) } : {}),
    ...(methods.length > 0 ? { methods } : {}),
    ...(paths.length > 0 ? { paths } : {}),
  };
}

/** On TCP ports a rule never matches if any of its operations says something of HTTP, so those that say nothing of it stand alone. */
function isOfHttp({ methods, paths }: SuggestedRule): boolean {
  return methods.length + paths.length > 0;
}

/** Rules of the same callers, which are neighbours, stand together as one rule with several operations. */
export function togetherIn(rules: readonly SuggestedRule[]): readonly (readonly SuggestedRule[])[] {
  const groups: SuggestedRule[][] = [];
  const who = ({ principals, ipBlocks }: SuggestedRule): string => JSON.stringify([principals, ipBlocks]);
  for (const rule of rules) {
    const last = groups.at(-1);
    const [first] = last ?? [];
    if (last !== undefined && first !== undefined && who(first) === who(rule) && isOfHttp(first) && isOfHttp(rule))
      last.push(rule);
    else groups.push([rule]);
  }
  return groups;
}

/** Rules of the same callers, as one. */
export function ruleManifest(rules: readonly SuggestedRule[]): RuleManifest {
  const [first] = rules;
  if (first === undefined) return {};
  const { principals, ipBlocks } = first;
  const source = { ...(principals.length > 0 ? { principals } : {}), ...(ipBlocks.length > 0 ? { ipBlocks } : {}) };
  return {
    ...(Object.keys(source).length > 0 ? { from: [{ source }] } : {}),
    ...(isOfHttp(first) || first.ports.length > 0 ? { to: rules.map((rule) => ({ operation: operationOf(rule) })) } : {}),
  };
}

/** A policy as Kubernetes has it. */
export function manifestOf(
  { namespace, name, selector, rules }: SuggestedPolicy,
  { dryRun, labels }: ManifestOptions,
): PolicyManifest {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: {
      name,
      namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(dryRun ? { annotations: { 'istio.io/dry-run': 'true' } } : {}),
    },
    spec: {
      ...(Object.keys(selector).length > 0 ? { selector: { matchLabels: selector } } : {}),
      action: 'ALLOW',
      // No rules at all: nobody.
      ...(rules.length > 0 ? { rules: togetherIn(rules).map(ruleManifest) } : {}),
    },
  };
}

export function manifestsOf({ policies }: Pick<Suggestion, 'policies'>, options: ManifestOptions): readonly PolicyManifest[] {
  return policies.map((policy) => manifestOf(policy, options));
}
