import type { JwtRule, RequestAuthentication } from '../../mesh/model/request-authentication.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { keptBy } from '../kept.ts';
import { type SelectedWorkload, appliesTo } from '../select.ts';

/** One rule that applies to a workload, and the object that it stands in. */
export interface ApplyingRule {
  readonly of: RequestAuthentication;
  readonly rule: JwtRule;
}

const byNamespace = keptBy((all: readonly RequestAuthentication[]) => Map.groupBy(all, ({ meta }) => meta.namespace));

/** One array for the same objects, however often they are found to apply. */
const oneArray = keptBy((...policies: readonly RequestAuthentication[]) => Object.freeze(policies));

/**
 * The RequestAuthentications that apply to a workload: those of the root namespace first, then its own, each in the snapshot's order.
 * The same array as long as the same ones apply, under other snapshots and for other workloads too.
 */
export function requestAuthenticationsFor(snapshot: Snapshot, workload: SelectedWorkload): readonly RequestAuthentication[] {
  const { rootNamespace } = snapshot.meshConfig;
  const { namespace } = workload;
  const found = byNamespace(snapshot.requestAuthentications);
  const candidates = [...(found.get(rootNamespace) ?? []), ...(namespace === rootNamespace ? [] : (found.get(namespace) ?? []))];
  return oneArray(...candidates.filter((policy) => appliesTo(rootNamespace, policy, workload)));
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
