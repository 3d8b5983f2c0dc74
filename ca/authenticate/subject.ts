import type { JWTPayload } from 'jose';
import { refused, type Parsed } from '../identity/parsed.ts';
import { parseWorkloadSpiffeId, type SpiffeId } from '../identity/spiffe-id.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';

const SUBJECT = /^system:serviceaccount:([^:]+):([^:]+)$/;

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
