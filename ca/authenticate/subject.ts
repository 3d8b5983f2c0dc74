import type { JWTPayload } from 'jose';
import { refused, type Parsed } from '../identity/parsed.ts';
import type { CallerPod } from './caller.ts';
import { parseWorkloadSpiffeId, type SpiffeId } from '../identity/spiffe-id.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';

/** The name of a Kubernetes service account, as users have names. */
export const SUBJECT = /^system:serviceaccount:([^:]+):([^:]+)$/;

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}

/**
 * The identity that a Kubernetes service-account token names by its `sub`. Where the token also has the claim
 * `kubernetes.io`, both must agree.
 */
export function identityOfClaims(claims: JWTPayload, trustDomain: TrustDomain): Parsed<SpiffeId> {
  const [, namespace, serviceAccount] = SUBJECT.exec(claims.sub ?? '') ?? [];
  if (namespace === undefined || serviceAccount === undefined)
    return refused("the token's subject is no service account (system:serviceaccount:NAMESPACE:NAME)");
  const details = claims['kubernetes.io'];
  if (details !== undefined) {
    const agrees =
      field(details, 'namespace') === namespace && field(field(details, 'serviceaccount'), 'name') === serviceAccount;
    if (!agrees) return refused("the token's subject and its kubernetes.io claim disagree");
  }
  return parseWorkloadSpiffeId(trustDomain, namespace, serviceAccount);
}

/** The pod that a token is bound to, by its claim `kubernetes.io`, which must have been compared with its subject. */
export function podOfClaims(claims: JWTPayload): CallerPod | undefined {
  const details = claims['kubernetes.io'];
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
  const [namespace, pod] = [text(field(details, 'namespace')), field(details, 'pod')];
  const name = text(field(pod, 'name'));
  if (namespace === undefined || name === undefined) return undefined;
  const [uid, node] = [text(field(pod, 'uid')), text(field(field(details, 'node'), 'name'))];
  return { namespace, name, ...(uid !== undefined && { uid }), ...(node !== undefined && { node }) };
}
