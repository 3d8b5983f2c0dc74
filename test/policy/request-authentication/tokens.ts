import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export interface TokenIssuer {
  readonly issuer: string;
  /** Its public keys. */
  readonly jwks: string;
  readonly publicKey: JWK;
  sign(claims: JWTPayload, header?: { readonly kid?: string }): Promise<string>;
}

const HOUR = 3600;

/** Somebody who signs tokens, as a login server does. Tokens are good for an hour unless the claims say otherwise. */
export async function tokenIssuer(issuer: string, kid = 'one', alg: 'RS256' | 'ES256' | 'EdDSA' = 'ES256'): Promise<TokenIssuer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const shown = { ...(await exportJWK(publicKey)), kid, alg };
  return {
    issuer,
    jwks: JSON.stringify({ keys: [shown] }),
    publicKey: shown,
    sign: (claims, header = { kid }) => {
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({ iss: issuer, sub: 'alice', iat: now, exp: now + HOUR, ...claims })
        .setProtectedHeader({ alg, ...header })
        .sign(privateKey);
    },
  };
}
