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

interface RuleManifest {
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

function ruleManifest({ principals, ipBlocks, ports, methods, paths }: SuggestedRule): RuleManifest {
  const source = { ...(principals.length > 0 ? { principals } : {}), ...(ipBlocks.length > 0 ? { ipBlocks } : {}) };
  const operation = {
    ...(ports.length > 0 ? { ports: ports.map(String) } : {}),
    ...(methods.length > 0 ? { methods } : {}),
    ...(paths.length > 0 ? { paths } : {}),
  };
  return {
    ...(Object.keys(source).length > 0 ? { from: [{ source }] } : {}),
    ...(Object.keys(operation).length > 0 ? { to: [{ operation }] } : {}),
  };
}

/** A policy as Kubernetes has it; its rules one for one. */
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
      ...(rules.length > 0 ? { rules: rules.map(ruleManifest) } : {}),
    },
  };
}

export function manifestsOf({ policies }: Pick<Suggestion, 'policies'>, options: ManifestOptions): readonly PolicyManifest[] {
  return policies.map((policy) => manifestOf(policy, options));
}
