import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Atom } from '../access/atom.ts';
import type { Clause } from '../access/rules.ts';
import { clausesOf } from '../access/rules.ts';
import { acceptanceOf } from '../access/tokens.ts';
import type { Destination } from '../access/world.ts';
import { type Bits, addAll, addBit, eachBit, noBits } from '../observed/bits.ts';
import type { Answer } from '../observed/dimension-index.ts';
import { type Part, RuleIndex } from '../observed/rule-index.ts';
import type { ObservedCall } from '../observed/call.ts';
import type { Known } from '../observed/open-truth.ts';
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

/** What was used of rules that apply together, of each by its place. */
class Uses {
  readonly index: RuleIndex;
  readonly #uses: (Mutable<Use> | undefined)[] = [];
  /** A rule is several clauses where it has several sources or operations; a call counts once for it. */
  readonly #ruleOf: readonly number[];
  readonly #names: readonly string[];
  readonly #countedFor: number[] = [];
  readonly #rulesBy = new Map<Part['index'], Map<Answer, Bits>>();
  #calls = 0;

  constructor(clauses: readonly Clause[]) {
    this.index = new RuleIndex(clauses);
    const names = new Map<string, number>();
    this.#ruleOf = this.index.clauses.map(({ name }) => {
      const at = names.get(name) ?? names.size;
      names.set(name, at);
      return at;
    });
    this.#names = [...names.keys()];
  }

  add(known: Known & { readonly call: ObservedCall }): void {
    const { call } = known;
    const parts = this.index.parts(known);
    const rules = this.index.matching(known, parts);
    const sure = call.by === undefined ? rules : this.#sureOf(rules, `${call.by.policy} rule ${call.by.rule ?? ''}`);
    const { count, firstSeen, lastSeen } = call;
    this.#calls += 1;
    for (const clause of eachBit(sure)) {
      const rule = this.#ruleOf[clause] ?? 0;
      if (this.#countedFor[rule] === this.#calls) continue;
      this.#countedFor[rule] = this.#calls;
      const use = this.#uses[rule];
      if (use === undefined) this.#uses[rule] = { calls: count, firstSeen, lastSeen };
      else {
        use.calls += count;
        use.firstSeen = Math.min(use.firstSeen, firstSeen);
        use.lastSeen = Math.max(use.lastSeen, lastSeen);
      }
    }
    for (const { index, answer } of parts) {
      const byAnswer = this.#rulesBy.get(index) ?? new Map<Answer, Bits>();
      this.#rulesBy.set(index, byAnswer);
      const known = byAnswer.get(answer);
      if (known === undefined) byAnswer.set(answer, sure.slice());
      else addAll(known, sure);
    }
  }

  /** The one that the proxy named and dry runs, of which it names none; all, where it named none of these. */
  #sureOf(rules: Bits, named: string): Bits {
    const { clauses } = this.index;
    const sure = noBits(clauses.length);
    let found = false;
    for (const at of eachBit(rules)) {
      const clause = clauses[at];
      if (clause?.name === named) found = true;
      if (clause !== undefined && (clause.name === named || clause.policy.dryRun)) addBit(sure, at);
    }
    return found ? sure : rules;
  }

  /** By the name of a rule. */
  *uses(): Generator<readonly [string, Use]> {
    for (const [at, name] of this.#names.entries()) {
      const use = this.#uses[at];
      if (use !== undefined) yield [name, use];
    }
  }

  /** The values of rules that a call which the rule let in may have had. */
  *atoms(): Generator<Atom> {
    for (const [index, byAnswer] of this.#rulesBy) {
      const inClause = this.index.clauses.map(({ terms }) =>
        terms
          .filter(({ dimension }) => dimension === index.dimension)
          .flatMap(({ values }) => values.map((atom) => ({ atom, at: index.placeOf(atom) ?? -1 }))),
      );
      for (const [{ held }, rules] of byAnswer) {
        const may = new Set(held);
        for (const at of eachBit(rules)) for (const value of inClause[at] ?? []) if (may.has(value.at)) yield value.atom;
      }
    }
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What was used of the policies of a mesh. */
interface Used {
  readonly rules: ReadonlyMap<string, Use>;
  readonly atoms: ReadonlySet<Atom>;
}

function together(one: Use | undefined, other: Use): Use {
  if (one === undefined) return other;
  return {
    calls: one.calls + other.calls,
    firstSeen: Math.min(one.firstSeen, other.firstSeen),
    lastSeen: Math.max(one.lastSeen, other.lastSeen),
  };
}

function allowing(snapshot: Snapshot, destination: Destination): readonly AuthorizationPolicy[] {
  return policiesFor(snapshot, destination).filter(({ action }) => action === 'ALLOW');
}

function usedIn(snapshot: Snapshot, byName: ReadonlyMap<string, Destination>, calls: Iterable<ObservedCall>): Used {
  // Many workloads have the same policies.
  const byPolicies = new Map<readonly AuthorizationPolicy[], Uses>();
  const byDestination = new Map<string, { readonly uses: Uses; readonly tokens: boolean }>();
  const usesAt = (destination: Destination): { readonly uses: Uses; readonly tokens: boolean } => {
    const known = byDestination.get(destination.name);
    if (known !== undefined) return known;
    const policies = policiesFor(snapshot, destination);
    const uses =
      byPolicies.get(policies) ??
      new Uses(allowing(snapshot, destination).flatMap((policy) => clausesOf(policy, snapshot.meshConfig)));
    byPolicies.set(policies, uses);
    const made = { uses, tokens: acceptanceOf(jwtRulesFor(snapshot, destination)) !== undefined };
    byDestination.set(destination.name, made);
    return made;
  };
  for (const call of calls) {
    const destination = byName.get(call.destination);
    if (call.decision === 'DENY' || destination === undefined) continue;
    const { uses, tokens } = usesAt(destination);
    const port = parsePort(call.port ?? 0);
    const { mode } = port === undefined ? workloadMtlsSetting(snapshot, destination) : mtlsSetting(snapshot, destination, port);
    // A call counts for each rule that may have let it in, so that no rule that was used is said not to be.
    uses.add({ call, meshConfig: snapshot.meshConfig, encrypted: mode !== 'DISABLE', tokens });
  }
  const rules = new Map<string, Use>();
  const atoms = new Set<Atom>();
  for (const uses of byPolicies.values()) {
    for (const [name, use] of uses.uses()) rules.set(name, together(rules.get(name), use));
    for (const atom of uses.atoms()) atoms.add(atom);
  }
  return { rules, atoms };
}

function partsOf(policy: AuthorizationPolicy, rule: number, snapshot: Snapshot, used: Used): readonly UnusedPart[] {
  const clauses = clausesOf(policy, snapshot.meshConfig).filter((clause) => clause.rule === rule);
  const state = new Map<string, UnusedPart & { readonly used: boolean }>();
  for (const { terms } of clauses)
    for (const { values } of terms)
      for (const atom of values) {
        const key = `${atom.field} ${atom.text}`;
        const isUsed = used.atoms.has(atom) || state.get(key)?.used === true;
        state.set(key, { field: atom.field, value: atom.text, used: isUsed });
      }
  return [...state.values()].filter(({ used: isUsed }) => !isUsed).map(({ field, value }) => ({ field, value }));
}

/** What ALLOW policies grant and nobody used: whole policies, rules, and parts of rules. Dry runs too. Pure. */
export function unused(
  snapshot: Snapshot,
  destinations: readonly Destination[],
  calls: Iterable<ObservedCall>,
): readonly PolicyUse[] {
  const used = usedIn(snapshot, new Map(destinations.map((one) => [one.name, one])), calls);
  const applied = new Map<AuthorizationPolicy, Destination[]>();
  const only = new Map<AuthorizationPolicy, string[]>();
  for (const destination of destinations) {
    const policies = allowing(snapshot, destination);
    const enforced = policies.filter(({ dryRun }) => !dryRun);
    for (const policy of policies) {
      const places = applied.get(policy) ?? [];
      places.push(destination);
      applied.set(policy, places);
      if (enforced.length === 1 && enforced[0] === policy) only.set(policy, [...(only.get(policy) ?? []), destination.name]);
    }
  }
  return snapshot.authorizationPolicies
    .filter(({ action, rules }) => action === 'ALLOW' && rules.length > 0)
    .map((policy): PolicyUse => {
      const rules = policy.rules.map((_, rule): RuleUse => {
        const use = used.rules.get(`${keyOf(policy.meta)} rule ${rule}`);
        return { rule, use, unusedParts: use === undefined ? [] : partsOf(policy, rule, snapshot, used) };
      });
      const uses = rules.flatMap(({ use }) => use ?? []);
      return {
        policy: keyOf(policy.meta),
        meta: policy.meta,
        createdAt: policy.meta.createdAt,
        dryRun: policy.dryRun,
        use:
          uses.length === 0
            ? undefined
            : {
                calls: Math.max(...uses.map(({ calls: count }) => count)),
                firstSeen: Math.min(...uses.map(({ firstSeen }) => firstSeen)),
                lastSeen: Math.max(...uses.map(({ lastSeen }) => lastSeen)),
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
