import type { Pod } from './volume.ts';

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;

/**
 * In what a ServiceAccount's token is another's than the pod's, or undefined. Its signature is for the authority to check; this only keeps
 * one pod's token from being used under another's name on this node.
 */
export function disagreement(token: string, pod: Pod, audience: string): string | undefined {
  const claims = payload(token);
  if (claims === undefined) return 'it is no JSON Web Token';
  const aud = field(claims, 'aud');
  if (!(Array.isArray(aud) ? aud : [aud]).includes(audience)) return `its audience is not ${audience}`;
  const bound = field(claims, 'kubernetes.io');
  const pairs: readonly (readonly [string, unknown, string])[] = [
    ['namespace', field(bound, 'namespace'), pod.namespace],
    ['service account', field(field(bound, 'serviceaccount'), 'name'), pod.serviceAccount],
    ['pod', field(field(bound, 'pod'), 'name'), pod.name],
    ['pod UID', field(field(bound, 'pod'), 'uid'), pod.uid],
  ];
  const other = pairs.find(([, found, wanted]) => found !== wanted);
  return other === undefined ? undefined : `its ${other[0]} is ${typeof other[1] === 'string' ? other[1] : 'not said'}`;
}

function payload(token: string): unknown {
  const parts = token.split('.');
  try {
    return parts.length === 3 ? JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString()) : undefined;
  } catch {
    return undefined;
  }
}
