import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Pod } from './pod.ts';

export const TOKEN_ISSUER = 'https://gatehouse.local/up';
export const TOKEN_AUDIENCE = 'istio-ca';
const TOKEN_LIFETIME_S = 3600;
/** Well before the end, as kubelet does at 80 % of the lifetime. */
export const TOKEN_REFRESH_MS = TOKEN_LIFETIME_S * 800;

export interface TokenIssuer {
  /** The public key, as a JSON Web Key Set. */
  readonly jwks: string;
  /** A service-account token for one pod, with Kubernetes' claims. */
  readonly issue: (pod: Pick<Pod, 'namespace' | 'name' | 'serviceAccount'>) => Promise<string>;
}

/** An issuer for one run. Its key lives in this process only; nothing that it signed outlives the run by more than an hour. */
export async function createTokenIssuer(now: () => Date): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const kid = 'up';
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
  return {
    jwks: `${JSON.stringify({ keys: [jwk] })}\n`,
    issue: (pod) => {
      const at = Math.floor(now().getTime() / 1000);
      return new SignJWT({
        'kubernetes.io': { namespace: pod.namespace, serviceaccount: { name: pod.serviceAccount }, pod: { name: pod.name } },
      })
        .setProtectedHeader({ alg: 'ES256', kid })
        .setIssuer(TOKEN_ISSUER)
        .setAudience(TOKEN_AUDIENCE)
        .setSubject(`system:serviceaccount:${pod.namespace}:${pod.serviceAccount}`)
        .setIssuedAt(at)
        .setNotBefore(at)
        .setExpirationTime(at + TOKEN_LIFETIME_S)
        .sign(privateKey);
    },
  };
}
