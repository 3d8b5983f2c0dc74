import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { factsOf } from '../evaluate/facts.ts';
import type { Truth } from '../evaluate/truth.ts';
import { type Atom, type Reading, type Term, operationTerms, sourceTerms, whenTerms } from './atom.ts';
import { isOfHttp, isOfToken, requestOf } from './values.ts';

/** A rule with one of its sources and one of its operations: all terms must hold. */
export interface Clause {
  readonly policy: AuthorizationPolicy;
  readonly rule: number;
  /** `shop/users rule 0`. */
  readonly name: string;
  readonly allows: boolean;
  /** Only on TCP: on HTTP one of its conditions never holds. */
  readonly onlyTcp: boolean;
  /** An authorizer of HTTP is not asked about connections. */
  readonly notOnTcp: boolean;
  /** Its rule asks for what only HTTP has, and so never allows on TCP. */
  readonly ofHttp: boolean;
  readonly terms: readonly Term[];
}

function clausesOfRule(policy: AuthorizationPolicy, index: number, meshConfig: MeshConfig): readonly Clause[] {
  const rule = policy.rules[index];
  if (rule === undefined) return [];
  const reading: Reading = { meta: policy.meta, meshConfig };
  const sources = rule.from.length === 0 ? [[]] : rule.from.map((from) => sourceTerms(reading, from));
  const operations = rule.to.length === 0 ? [[]] : rule.to.map((to) => operationTerms(reading, to));
  const conditions = rule.when.flatMap((when) => whenTerms(reading, when));
  const ofHttp = [...sources.flat(), ...operations.flat(), ...conditions].some(({ dimension }) => isOfHttp(dimension));
  const common = {
    policy,
    rule: index,
    name: `${keyOf(policy.meta)} rule ${index}`,
    allows: policy.action === 'ALLOW',
    notOnTcp: false,
    ofHttp,
  };
  return sources.flatMap((from) =>
    operations.map((to): Clause => ({ ...common, onlyTcp: false, terms: [...from, ...to, ...conditions] })),
  );
}

/** A clause as it is read before tokens are verified: no condition on them sees one. */
export function beforeTokens(clause: Clause, meshConfig: MeshConfig): Clause {
  const ofTokens = clause.terms.filter(isOfTokens);
  const onlyTcp = !ofTokens.every((term) => holdsWithoutToken(term, meshConfig));
  return { ...clause, onlyTcp, terms: clause.terms.filter((term) => !isOfTokens(term)) };
}

function isOfTokens({ dimension }: Term): boolean {
  return isOfToken(dimension);
}

function holdsWithoutToken({ values, notValues }: Term, meshConfig: MeshConfig): boolean {
  const request = requestOf(new Map(), { namespace: '', labels: {}, protocol: 'HTTP' });
  const facts = factsOf(request, meshConfig, true, undefined);
  const truths = (atoms: readonly Atom[]): readonly Truth[] => atoms.map(({ truth }) => truth(facts, request));
  return (values.length === 0 || truths(values).some((truth) => truth !== false)) && !truths(notValues).includes(true);
}

const kept = new WeakMap<MeshConfig, WeakMap<AuthorizationPolicy, readonly Clause[]>>();

/** The rules of a policy as clauses, of which any decides. */
export function clausesOf(policy: AuthorizationPolicy, meshConfig: MeshConfig): readonly Clause[] {
  const known = kept.get(meshConfig) ?? new WeakMap<AuthorizationPolicy, readonly Clause[]>();
  kept.set(meshConfig, known);
  const found = known.get(policy) ?? policy.rules.flatMap((_, index) => clausesOfRule(policy, index, meshConfig));
  known.set(policy, found);
  return found;
}
