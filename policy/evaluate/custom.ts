import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { keyOf } from '../../mesh/model/object.ts';
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

/** @param matches all rules of CUSTOM policies that match the request, in the order in which Envoy tries them */
export function askProviders(matches: readonly CustomMatch[], _request: Request, _meshConfig: MeshConfig): CustomStep {
  const [first] = matches;
  if (first === undefined) return { kind: 'passed', why: 'no rule of a CUSTOM policy matches' };
  const why = `CUSTOM policies are not asked yet, so what they match is denied: ${keyOf(first.policy.meta)} rule ${first.rule}`;
  return { kind: 'refused', by: first, why };
}
