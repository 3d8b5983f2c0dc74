import type { AuthorizationPolicy, PolicyMatch, Rule } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { keyOf, selects } from '../../mesh/model/object.ts';
import { ruleCovers } from './covers.ts';
import { isHttpOnly, listsOf } from './fields.ts';
import { finding } from './finding.ts';
import { LISTS, type Survey } from './survey.ts';

interface Entry {
  readonly policy: AuthorizationPolicy;
  readonly rule: Rule;
  readonly at: number;
  readonly order: number;
}

/** Comparisons for one namespace: beyond this rules that are shadowed go unsaid, which harms nobody. */
const MOST_COMPARISONS = 1_000_000;

function exactKeys(values: readonly PolicyMatch[]): readonly string[] | undefined {
  if (values.length === 0 || !values.every(({ kind }) => kind === 'exact')) return undefined;
  return values.map((value) => (value.kind === 'present' ? '' : value.value));
}

/** Under which texts a rule can be found that covers a rule with one of these texts; undefined when any may be. */
function keysOf(rule: Rule): readonly string[] | undefined {
  const callers = rule.from.map(({ principals }) => exactKeys(principals.values));
  if (callers.length > 0 && callers.every((keys) => keys !== undefined)) return callers.flat().map((key) => `p ${key}`);
  const paths = rule.to.map((operation) => exactKeys(operation.paths.values));
  if (paths.length > 0 && paths.every((keys) => keys !== undefined)) return paths.flat().map((key) => `q ${key}`);
  return undefined;
}

/** Rules of one namespace and one action, by texts that a narrower rule must have too. */
class Index {
  readonly #any: Entry[] = [];
  readonly #byText = new Map<string, Entry[]>();

  add(entry: Entry): void {
    const keys = keysOf(entry.rule);
    if (keys === undefined) {
      this.#any.push(entry);
      return;
    }
    for (const key of new Set(keys)) {
      const before = this.#byText.get(key);
      if (before === undefined) this.#byText.set(key, [entry]);
      else before.push(entry);
    }
  }

  candidates({ rule }: Entry): readonly Entry[] {
    const caller = rule.from[0]?.principals.values[0];
    const path = rule.to[0]?.paths.values[0];
    const of = (mark: string, value: PolicyMatch | undefined): readonly Entry[] =>
      value?.kind === 'exact' ? (this.#byText.get(`${mark} ${value.value}`) ?? []) : [];
    return [...this.#any, ...of('p', caller), ...of('q', path)];
  }
}

/** True when `wide` applies wherever `narrow` does. */
function appliesWherever(wide: AuthorizationPolicy, narrow: AuthorizationPolicy, rootNamespace: string): boolean {
  if (wide.targetRefs.length > 0) {
    return (
      wide.meta.namespace === narrow.meta.namespace &&
      narrow.targetRefs.length > 0 &&
      narrow.targetRefs.every((one) => wide.targetRefs.some(({ kind, name }) => kind === one.kind && name === one.name))
    );
  }
  if (wide.meta.namespace !== narrow.meta.namespace && wide.meta.namespace !== rootNamespace) return false;
  if (Object.keys(wide.selector).length === 0) return true;
  return narrow.targetRefs.length === 0 && selects(wide.selector, narrow.selector);
}

/** A bare service account is of its policy's own namespace. */
function readsAlike(wide: Entry, narrow: Entry): boolean {
  if (wide.policy.meta.namespace === narrow.policy.meta.namespace) return true;
  return !listsOf(wide.policy).some(({ rule, attribute }) => rule === wide.at && attribute === 'serviceAccounts');
}

function asksForHttp({ policy, at }: Entry): boolean {
  return listsOf(policy).some((list) => list.rule === at && isHttpOnly(list));
}

class Search {
  readonly #rootNamespace: string;
  readonly #indexes = new Map<string, Index>();
  #left = MOST_COMPARISONS;

  constructor(entries: readonly Entry[], rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
    for (const entry of entries) {
      const key = `${entry.policy.action} ${entry.policy.meta.namespace}`;
      const index = this.#indexes.get(key) ?? new Index();
      this.#indexes.set(key, index);
      index.add(entry);
    }
  }

  /** A rule of an action that matches whatever this one does, wherever it applies. */
  wider(narrow: Entry, action: 'ALLOW' | 'DENY'): Entry | undefined {
    const same = narrow.policy.action === action;
    for (const namespace of new Set([this.#rootNamespace, narrow.policy.meta.namespace])) {
      for (const wide of this.#indexes.get(`${action} ${namespace}`)?.candidates(narrow) ?? []) {
        if (wide === narrow) continue;
        this.#left -= 1;
        if (this.#left < 0) return undefined;
        if (!appliesWherever(wide.policy, narrow.policy, this.#rootNamespace) || !readsAlike(wide, narrow)) continue;
        // On a TCP port an ALLOW rule that asks for HTTP is gone.
        if (action === 'ALLOW' && asksForHttp(wide) && !asksForHttp(narrow)) continue;
        if (!ruleCovers(wide.rule, narrow.rule)) continue;
        // Of two that say the same the later one is too many.
        if (same && wide.order > narrow.order && this.#isBack(wide, narrow)) continue;
        return wide;
      }
    }
    return undefined;
  }

  #isBack(wide: Entry, narrow: Entry): boolean {
    return appliesWherever(narrow.policy, wide.policy, this.#rootNamespace) && ruleCovers(narrow.rule, wide.rule);
  }
}

/** Rules that decide nothing, since another one decides before or as well. */
export function shadowedRules({ snapshot, policies }: Survey): readonly Diagnostic[] {
  const { rootNamespace } = snapshot.meshConfig;
  let order = 0;
  const entriesOf = (some: readonly AuthorizationPolicy[]): readonly Entry[] =>
    some
      .filter(({ action, dryRun }) => (action === 'ALLOW' || action === 'DENY') && !dryRun)
      .flatMap((policy) => policy.rules.map((rule, at) => ({ policy, rule, at, order: (order += 1) })));
  const wide = LISTS.policies(snapshot.authorizationPolicies, rootNamespace);
  const meshWide = wide === policies ? [] : entriesOf(wide);
  const entries = entriesOf(policies);
  const search = new Search([...meshWide, ...entries], rootNamespace);
  return entries.flatMap((entry) => {
    const { policy, at } = entry;
    const field = `spec.rules[${at}]`;
    const named = (wide: Entry): string =>
      wide.policy === policy
        ? `rule ${wide.at} of this policy`
        : `rule ${wide.at} of AuthorizationPolicy ${keyOf(wide.policy.meta)}`;
    const denied = policy.action === 'ALLOW' ? search.wider(entry, 'DENY') : undefined;
    if (denied !== undefined)
      return [
        finding(
          policy.meta,
          field,
          'warning',
          'shadowed-by-deny',
          `lets nobody in: ${named(denied)} denies all that this rule allows, and DENY comes first`,
          'narrow the DENY rule, or remove this one',
        ),
      ];
    const wider = search.wider(entry, policy.action === 'DENY' ? 'DENY' : 'ALLOW');
    if (wider === undefined) return [];
    const verb = policy.action === 'DENY' ? 'denies' : 'allows';
    return [
      finding(
        policy.meta,
        field,
        'info',
        'shadowed-rule',
        `changes nothing: ${named(wider)} ${verb} all that this rule ${verb}`,
        'remove this rule, or narrow the other',
      ),
    ];
  });
}
