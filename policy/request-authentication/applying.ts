import type { JwtRule, RequestAuthentication } from '../../mesh/model/request-authentication.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { type SelectedWorkload, appliesTo } from '../select.ts';

/** One rule that applies to a workload, and the object that it stands in. */
export interface ApplyingRule {
  readonly of: RequestAuthentication;
  readonly rule: JwtRule;
}

/** The RequestAuthentications that apply to a workload: those of the root namespace first, then its own, each in the snapshot's order. */
export function requestAuthenticationsFor(snapshot: Snapshot, workload: SelectedWorkload): readonly RequestAuthentication[] {
  const { rootNamespace } = snapshot.meshConfig;
  const applying = snapshot.requestAuthentications.filter((policy) => appliesTo(rootNamespace, policy, workload));
  return [
    ...applying.filter(({ meta }) => meta.namespace === rootNamespace),
    ...applying.filter(({ meta }) => meta.namespace !== rootNamespace),
  ];
}

/** All their rules, by the byte order of issuers, as Istio tries them; rules of one issuer in the order given. */
export function jwtRulesFor(snapshot: Snapshot, workload: SelectedWorkload): readonly ApplyingRule[] {
  const all = requestAuthenticationsFor(snapshot, workload).flatMap((of) => of.rules.map((rule) => ({ of, rule })));
  return all.sort((one, other) => Buffer.compare(Buffer.from(one.rule.issuer ?? ''), Buffer.from(other.rule.issuer ?? '')));
}

/** Claims of several words in one text (RFC 8693, section 4.2), which Istio always has as lists. */
const ALWAYS_LISTS: readonly string[] = Object.freeze(['permission', 'scope']);

/** The claims whose text is a list of words for policies. */
export function listClaims({ spaceDelimitedClaims }: JwtRule): readonly string[] {
  return [...new Set([...ALWAYS_LISTS, ...spaceDelimitedClaims])].sort();
}
