import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Atom } from '../access/atom.ts';
import type { Clause } from '../access/rules.ts';
import { clausesOf } from '../access/rules.ts';
import { acceptanceOf } from '../access/tokens.ts';
import type { Destination } from '../access/world.ts';
import { ApplyingRules, mayMatch } from '../observed/applying-rules.ts';
import type { ObservedCall } from '../observed/call.ts';
import { type Known, mayHold } from '../observed/open-truth.ts';
import { mtlsSetting, workloadMtlsSetting } from '../peer-authentication/mode.ts';
import { jwtRulesFor } from '../request-authentication/applying.ts';
import { policiesFor } from '../select.ts';

/** Calls that a grant let in, or may have. Times are ms since the epoch. */
export interface Use {
  readonly calls: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** A caller, path, method, port or the like in a rule that is used, which no call that it let in had. */
export interface UnusedPart {
  /** As a policy has it: `principals`, `paths`. */
  readonly field: string;
  /** As it is written. */
  readonly value: string;
}

export interface RuleUse {
  /** Counts from 0, in the order written. */
  readonly rule: number;
  /** Undefined: nobody used it. */
  readonly use: Use | undefined;
  /** Of a rule that is used. */
  readonly unusedParts: readonly UnusedPart[];
}

export interface PolicyUse {
  /** `NAMESPACE/NAME`. */
  readonly policy: string;
  readonly meta: AuthorizationPolicy['meta'];
  /** Since when it exists, where that is known. */
  readonly createdAt: number | undefined;
  readonly dryRun: boolean;
  readonly use: Use | undefined;
  readonly rules: readonly RuleUse[];
  /** Workloads that it applies to. */
  readonly workloads: readonly string[];
  /** Those of which it is the only ALLOW policy: without it everybody may call them. */
  readonly onlyOneOf: readonly string[];
}

function added(use: Use | undefined, { count, firstSeen, lastSeen }: ObservedCall): Use {
  if (use === undefined) return { calls: count, firstSeen, lastSeen };
  return {
    calls: use.calls + count,
    firstSeen: Math.min(use.firstSeen, firstSeen),
    lastSeen: Math.max(use.lastSeen, lastSeen),
  };
}

/** What was used of the policies of a mesh. */
class Uses {
  readonly rules = new Map<string, Use>();
  readonly atoms = new Set<Atom>();

  of(policy: AuthorizationPolicy, rule: number): Use | undefined {
    return this.rules.get(`${keyOf(policy.meta)} rule ${rule}`);
  }

  add(clauses: readonly Clause[], call: ObservedCall, known: Known): void {
    for (const name of new Set(clauses.map((clause) => clause.name))) this.rules.set(name, added(this.rules.get(name), call));
    for (const { terms } of clauses)
      for (const { values } of terms)
        for (const atom of values) if (!this.atoms.has(atom) && mayHold(atom, known)) this.atoms.add(atom);
  }
}

function allowing(snapshot: Snapshot, destination: Destination): readonly AuthorizationPolicy[] {
  return policiesFor(snapshot, destination).filter(({ action }) => action === 'ALLOW');
}

function usesOf(snapshot: Snapshot, byName: ReadonlyMap<string, Destination>, calls: Iterable<ObservedCall>): Uses {
  const uses = new Uses();
  const applying = new Map<string, { readonly rules: ApplyingRules; readonly tokens: boolean }>();
  for (const call of calls) {
    const destination = byName.get(call.destination);
    if (call.decision === 'DENY' || destination === undefined) continue;
    const { rules, tokens } = applying.get(destination.name) ?? {
      rules: new ApplyingRules(allowing(snapshot, destination).flatMap((policy) => clausesOf(policy, snapshot.meshConfig))),
      tokens: acceptanceOf(jwtRulesFor(snapshot, destination)) !== undefined,
    };
    applying.set(destination.name, { rules, tokens });
    const port = parsePort(call.port ?? 0);
    const { mode } = port === undefined ? workloadMtlsSetting(snapshot, destination) : mtlsSetting(snapshot, destination, port);
    const known: Known = { call, meshConfig: snapshot.meshConfig, encrypted: mode !== 'DISABLE', tokens };
    // A call counts for each rule that may have let it in, so that no rule that was used is said not to be.
    const matching = rules.leftFor(known).filter((clause) => mayMatch(clause, known));
    const named = call.by === undefined ? undefined : `${call.by.policy} rule ${call.by.rule ?? ''}`;
    const byNamed = matching.filter(({ name }) => name === named);
    const sure = byNamed.length > 0 ? [...byNamed, ...matching.filter(({ policy }) => policy.dryRun)] : matching;
    uses.add(sure, call, known);
  }
  return uses;
}

function partsOf(policy: AuthorizationPolicy, rule: number, snapshot: Snapshot, uses: Uses): readonly UnusedPart[] {
  const clauses = clausesOf(policy, snapshot.meshConfig).filter((clause) => clause.rule === rule);
  const state = new Map<string, UnusedPart & { readonly used: boolean }>();
  for (const { terms } of clauses)
    for (const { values } of terms)
      for (const atom of values) {
        const key = `${atom.field} ${atom.text}`;
        const used = uses.atoms.has(atom) || state.get(key)?.used === true;
        state.set(key, { field: atom.field, value: atom.text, used });
      }
  return [...state.values()].filter(({ used }) => !used).map(({ field, value }) => ({ field, value }));
}

/** What ALLOW policies grant and nobody used: whole policies, rules, and parts of rules. Dry runs too. Pure. */
export function unused(
  snapshot: Snapshot,
  destinations: readonly Destination[],
  calls: Iterable<ObservedCall>,
): readonly PolicyUse[] {
  const uses = usesOf(snapshot, new Map(destinations.map((one) => [one.name, one])), calls);
  const applied = new Map<AuthorizationPolicy, Destination[]>();
  const only = new Map<AuthorizationPolicy, string[]>();
  for (const destination of destinations) {
    const policies = allowing(snapshot, destination);
    for (const policy of policies) {
      const places = applied.get(policy) ?? [];
      places.push(destination);
      applied.set(policy, places);
      const others = policies.filter((one) => one !== policy && !one.dryRun);
      if (!policy.dryRun && others.length === 0) only.set(policy, [...(only.get(policy) ?? []), destination.name]);
    }
  }
  return snapshot.authorizationPolicies
    .filter(({ action, rules }) => action === 'ALLOW' && rules.length > 0)
    .map((policy): PolicyUse => {
      const rules = policy.rules.map((_, rule): RuleUse => {
        const use = uses.of(policy, rule);
        return { rule, use, unusedParts: use === undefined ? [] : partsOf(policy, rule, snapshot, uses) };
      });
      const used = rules.flatMap(({ use }) => use ?? []);
      return {
        policy: keyOf(policy.meta),
        meta: policy.meta,
        createdAt: policy.meta.createdAt,
        dryRun: policy.dryRun,
        use:
          used.length === 0
            ? undefined
            : {
                calls: Math.max(...used.map(({ calls: count }) => count)),
                firstSeen: Math.min(...used.map(({ firstSeen }) => firstSeen)),
                lastSeen: Math.max(...used.map(({ lastSeen }) => lastSeen)),
              },
        rules,
        workloads: (applied.get(policy) ?? []).map(({ name }) => name),
        onlyOneOf: only.get(policy) ?? [],
      };
    });
}

/** What could go, and how. */
export interface Edit {
  readonly policy: string;
  /** Undefined: the whole policy. */
  readonly rule: number | undefined;
  readonly part: UnusedPart | undefined;
  /** In words: what to write. */
  readonly edit: string;
}

/** The edits that take away what nobody used and nothing else. */
export function editsOf({ policy, use, rules, onlyOneOf }: PolicyUse): readonly Edit[] {
  if (use === undefined) {
    const edit =
      onlyOneOf.length === 0
        ? `remove AuthorizationPolicy ${policy}: nobody used any of its rules`
        : `take all rules out of AuthorizationPolicy ${policy} and keep it: without it everybody may call ${onlyOneOf.join(', ')}`;
    return [{ policy, rule: undefined, part: undefined, edit }];
  }
  return rules.flatMap(({ rule, use: ofRule, unusedParts }): readonly Edit[] =>
    ofRule === undefined
      ? [{ policy, rule, part: undefined, edit: `remove rule ${rule} of AuthorizationPolicy ${policy}` }]
      : unusedParts.map((part) => ({
          policy,
          rule,
          part,
          edit: `take ${JSON.stringify(part.value)} out of ${part.field} in rule ${rule} of AuthorizationPolicy ${policy}`,
        })),
  );
}
