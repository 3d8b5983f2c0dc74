import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { type Alternatives, nearnessOf } from './check.ts';
import type { Facts } from './facts.ts';
import type { Candidate, PreparedPolicy, Stage } from './prepared.ts';
import { type PreparedRule, nearnessBonus } from './rule.ts';
import { type Truth, both, settle } from './truth.ts';

/** How far the sources, or the operations, of a rule hold. */
interface Held {
  readonly truth: Truth;
  readonly met: number;
}

const NEVER: Held = Object.freeze({ truth: false, met: 0 });

/** Rules that ask for the same sources, or the same operations, share them. */
class Shared {
  readonly #http: Alternatives[] = [];
  readonly #tcp: Alternatives[] = [];
  readonly #places = new Map<string, number>();
  readonly #held = new Map<string, readonly Held[]>();

  place(text: string, http: Alternatives, tcp: Alternatives): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    this.#places.set(text, this.#http.length);
    this.#tcp.push(tcp);
    return this.#http.push(http) - 1;
  }

  /** @param key all of the facts that these look at; undefined: what they look at is no text */
  held(facts: Facts, key: string | undefined): readonly Held[] {
    const known = key === undefined ? undefined : this.#held.get(key);
    if (known !== undefined) return known;
    const made = (facts.http ? this.#http : this.#tcp).map((alternatives) => nearnessOf(alternatives, facts));
    if (key === undefined) return made;
    if (this.#held.size >= MOST_KEPT || this.#held.size * made.length >= MOST_HELD) this.#held.clear();
    this.#held.set(key, made);
    return made;
  }
}

const MOST_KEPT = 5000;
const MOST_HELD = 1_000_000;

const HOLDS: Held = Object.freeze({ truth: true, met: 0 });

function conditionsOf(rule: PreparedRule, facts: Facts): Held {
  const conditions = rule.conditions(facts.http);
  if (conditions.length === 0) return HOLDS;
  const held = conditions.map((one) => nearnessOf(one, facts));
  return { truth: both(held, ({ truth }) => truth), met: held.reduce((sum, { met }) => sum + met, 0) };
}

/** All of three hold. */
function together(one: Truth, other: Truth, third: Truth): Truth {
  if (one === false || other === false || third === false) return false;
  return one === true && other === true && third === true ? true : 'unknown';
}

interface Row {
  readonly policy: AuthorizationPolicy;
  readonly rule: PreparedRule;
  readonly from: number;
  readonly to: number;
}

function sourceKey({ http, peer, ip, remoteIp, token }: Facts): string | undefined {
  return token === undefined ? JSON.stringify([http, peer, ip, remoteIp]) : undefined;
}

function operationKey({ http, port, host, method, path }: Facts): string {
  return JSON.stringify([http, port, host, method, path]);
}

/** Without rules that say what one before them says: where they match it does, too, and they come no nearer. */
function firstOfEach(rows: readonly Row[]): readonly Row[] {
  const seen = new Set<string>();
  return rows.filter(({ rule, from, to }) => {
    if (rule.conditions(true).length > 0) return true;
    const says = `${from} ${to} ${rule.neverOnTcp} ${rule.allows}`;
    if (seen.has(says)) return false;
    seen.add(says);
    return true;
  });
}

/** Where there are many rules: what they share is asked once, and kept for requests that have the same of it. */
export class StageIndex {
  readonly #sources = new Shared();
  readonly #operations = new Shared();
  readonly #candidates: readonly Row[];
  readonly #asWritten: readonly Row[];

  constructor({ policies, candidates }: Pick<Stage, 'policies' | 'candidates'>) {
    const rows = new Map(candidates.map(({ policy, rule }) => [rule, this.#row(policy, rule)]));
    const rowOf = (rule: PreparedRule): readonly Row[] => {
      const row = rows.get(rule);
      return row === undefined ? [] : [row];
    };
    this.#candidates = firstOfEach(candidates.flatMap(({ rule }) => rowOf(rule)));
    this.#asWritten = firstOfEach(policies.flatMap(({ rules }: PreparedPolicy) => rules.flatMap(rowOf)));
  }

  #row(policy: AuthorizationPolicy, rule: PreparedRule): Row {
    const { from, to } = policy.rules[rule.index] ?? { from: [], to: [] };
    const [http, tcp] = [rule.parts(true), rule.parts(false)];
    return {
      policy,
      rule,
      // A service account without a namespace is one in that of its policy.
      from: this.#sources.place(JSON.stringify([policy.meta.namespace, from]), http[0] ?? [], tcp[0] ?? []),
      to: this.#operations.place(JSON.stringify(to), http[1] ?? [], tcp[1] ?? []),
    };
  }

  firstMatch(facts: Facts): Candidate | undefined {
    const [sources, operations] = this.#held(facts);
    return this.#candidates.find(({ rule, from, to }) => {
      if (!facts.http && rule.neverOnTcp) return false;
      const [source, operation] = [sources[from] ?? NEVER, operations[to] ?? NEVER];
      if (source.truth === false || operation.truth === false) return false;
      return settle(together(source.truth, operation.truth, conditionsOf(rule, facts).truth), rule.allows);
    });
  }

  /** Of rules that do not match and came equally near, the first as written. */
  nearest(facts: Facts): { readonly policy: AuthorizationPolicy; readonly rule: PreparedRule } | undefined {
    const [sources, operations] = this.#held(facts);
    let found: Row | undefined;
    let most = -1;
    for (const row of this.#asWritten) {
      const { rule } = row;
      const [source, operation] = [sources[row.from] ?? NEVER, operations[row.to] ?? NEVER];
      const never = !facts.http && rule.neverOnTcp;
      const conditions = conditionsOf(rule, facts);
      if (!never && settle(together(source.truth, operation.truth, conditions.truth), rule.allows)) continue;
      const met = source.met + operation.met + conditions.met;
      const nearness = never ? 0 : met + nearnessBonus(rule, operation.truth);
      if (nearness <= most) continue;
      [found, most] = [row, nearness];
    }
    return found;
  }

  #held(facts: Facts): readonly [readonly Held[], readonly Held[]] {
    return [this.#sources.held(facts, sourceKey(facts)), this.#operations.held(facts, operationKey(facts))];
  }
}
