import { indexedBy } from '../../mesh/model/indexed-by.ts';
import type { Labels } from '../../mesh/model/object.ts';
import type { JwtRule, RequestAuthentication } from '../../mesh/model/request-authentication.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
import { type SelectedWorkload, appliesTo } from '../select.ts';

/** One rule that applies to a workload, and the object that it stands in. */
export interface ApplyingRule {
  readonly of: RequestAuthentication;
  readonly rule: JwtRule;
}

/** The objects of a namespace: the same array as long as none of them changes. */
export const ofNamespace = indexedBy<RequestAuthentication>(({ meta }) => [meta.namespace]);

type Selected = WeakMap<Labels, readonly RequestAuthentication[]>;

/** By the objects of the root namespace, those of the workload's own, and its labels. */
const selected = keptBy(
  (_root: readonly RequestAuthentication[], _own: readonly RequestAuthentication[]): Selected => new WeakMap(),
);

/** Not the same as a namespace without objects: what targets a gateway in the root namespace applies there only. */
const IN_ROOT: readonly RequestAuthentication[] = Object.freeze([]);

/** One array for the same objects, however often they are found to apply. */
const oneArray = keptBy((...policies: readonly RequestAuthentication[]) => Object.freeze(policies));

/**
 * The RequestAuthentications that apply to a workload: those of the root namespace first, then its own, each in the snapshot's order.
 * The same array as long as the same ones apply, under other snapshots and for other workloads too.
 */
export function requestAuthenticationsFor(snapshot: Snapshot, workload: SelectedWorkload): readonly RequestAuthentication[] {
  const { rootNamespace } = snapshot.meshConfig;
  const { namespace, labels } = workload;
  const all = snapshot.requestAuthentications;
  const root = ofNamespace(all, rootNamespace);
  const own = namespace === rootNamespace ? IN_ROOT : ofNamespace(all, namespace);
  const known = selected(root, own);
  const before = known.get(labels);
  if (before !== undefined) return before;
  const found = oneArray(...[...root, ...own].filter((policy) => appliesTo(rootNamespace, policy, workload)));
  known.set(labels, found);
  return found;
}

/** All their rules, by the byte order of issuers, as Istio tries them; rules of one issuer in the order given. */
export const rulesOf = keptBy((policies: readonly RequestAuthentication[]): readonly ApplyingRule[] => {
  const all = policies.flatMap((of) => of.rules.map((rule) => ({ of, rule })));
  return all.sort((one, other) => Buffer.compare(Buffer.from(one.rule.issuer ?? ''), Buffer.from(other.rule.issuer ?? '')));
});

/** The rules that apply to a workload. */
export function jwtRulesFor(snapshot: Snapshot, workload: SelectedWorkload): readonly ApplyingRule[] {
  return rulesOf(requestAuthenticationsFor(snapshot, workload));
}

/** Claims of several words in one text (RFC 8693, section 4.2), which Istio always has as lists. */
const ALWAYS_LISTS: readonly string[] = Object.freeze(['permission', 'scope']);

/** The claims whose text is a list of words for policies. */
export function listClaims({ spaceDelimitedClaims }: JwtRule): readonly string[] {
  return [...new Set([...ALWAYS_LISTS, ...spaceDelimitedClaims])].sort();
}
