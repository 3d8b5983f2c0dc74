import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import { findProvider } from '../../mesh/model/extension-provider.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Request } from './request.ts';

/** A rule of a CUSTOM policy that matches a request. */
export interface CustomMatch {
  readonly policy: AuthorizationPolicy;
  /** Counts from 0, in the order written. */
  readonly rule: number;
}

/** What the external authorizers make of a request. */
export type CustomStep =
  | { readonly kind: 'passed'; readonly why: string }
  | { readonly kind: 'refused'; readonly by: CustomMatch; readonly why: string };

/** What one provider makes of it; undefined when its policies are not about this kind of port. */
interface Opinion {
  readonly allows: boolean;
  readonly why: string;
}

function named({ policy, rule }: CustomMatch): string {
  return `${keyOf(policy.meta)} rule ${rule}`;
}

function opinion(by: CustomMatch, { destination, extAuthz }: Request, snapshot: Snapshot): Opinion | undefined {
  const name = by.policy.provider ?? '';
  const asked = `the CUSTOM policy ${named(by)} asks provider ${name}`;
  const found = findProvider(snapshot, by.policy.provider);
  if (found.kind !== 'unknown' && destination.protocol === 'TCP' && found.provider.kind === 'ext-authz-http') return undefined;
  // Policies alone, without any Service, are asked about as they would work in a mesh that has the provider's.
  const there = found.kind === 'found' || (found.kind === 'nowhere' && snapshot.services.length === 0);
  if (!there) return { allows: false, why: `${asked}, which cannot be asked (${found.why}), so what it matches is denied` };
  switch (extAuthz?.get(name)) {
    case 'allow':
      return { allows: true, why: `${asked}, which allows it` };
    case 'deny':
      return { allows: false, why: `${asked}, which denies it` };
    case undefined:
      return { allows: false, why: `provider ${name} decides (asked by ${named(by)}); give its answer in extAuthz` };
  }
}

function byName(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/**
 * Each provider is asked once, in the order of their names, and all must allow. Those that nobody is come last: their policies deny
 * whatever the others say.
 * @param matches all rules of CUSTOM policies that match the request, in the order in which Envoy tries them
 */
export function askProviders(matches: readonly CustomMatch[], request: Request, snapshot: Snapshot): CustomStep {
  const perProvider = [...Map.groupBy(matches, ({ policy }) => policy.provider ?? '')];
  const isNobody = (name: string): number => (findProvider(snapshot, name).kind === 'unknown' ? 1 : 0);
  perProvider.sort(([one], [other]) => isNobody(one) - isNobody(other) || byName(one, other));
  const heard: string[] = [];
  for (const [, [first]] of perProvider) {
    if (first === undefined) continue;
    const found = opinion(first, request, snapshot);
    if (found === undefined) continue;
    if (!found.allows) return { kind: 'refused', by: first, why: found.why };
    heard.push(found.why);
  }
  return { kind: 'passed', why: heard.length === 0 ? 'no rule of a CUSTOM policy matches' : heard.join('; ') };
}
