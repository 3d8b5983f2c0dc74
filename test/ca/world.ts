import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, SignJWT, type JWTPayload } from 'jose';
import { pino, type Logger } from 'pino';
import { type Authority, type AuthorityOptions, openAuthority } from '../../ca/authority.ts';
import { parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import { must } from './identity/must.ts';

export const TD = must(parseTrustDomain('cluster.local'));
export const ISSUER = 'https://kubernetes.default.svc';
export const AUDIENCE = 'istio-ca';

/** A log whose lines tests can read. */
export function memoryLog(): { log: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  return { log: pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) }), lines };
}

export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'gh-ca-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A token issuer with one ES256 key. */
export interface TokenIssuer {
  readonly key: KeyObject;
  readonly jwks: () => Promise<string>;
  token(claims?: TokenClaims): Promise<string>;
}

export interface TokenClaims {
  readonly sub?: string;
  readonly iss?: string;
  readonly aud?: string | string[];
  /** Seconds since the epoch. */
  readonly exp?: number;
  readonly nbf?: number;
  readonly extra?: JWTPayload;
  readonly kid?: string;
}

export const account = (namespace: string, name: string): string => `system:serviceaccount:${namespace}:${name}`;

export function tokenIssuer(kid = 'k1', now: () => Date = () => new Date()): TokenIssuer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    key: privateKey,
    jwks: async () => JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }] }),
    token(claims = {}) {
      const seconds = Math.floor(now().getTime() / 1000);
      const jwt = new SignJWT({ ...claims.extra })
        .setProtectedHeader({ alg: 'ES256', kid: claims.kid ?? kid })
        .setSubject(claims.sub ?? account('shop', 'cart'))
        .setIssuer(claims.iss ?? ISSUER)
        .setAudience(claims.aud ?? AUDIENCE)
        .setIssuedAt(seconds)
        .setExpirationTime(claims.exp ?? seconds + 3600);
      if (claims.nbf !== undefined) jwt.setNotBefore(claims.nbf);
      return jwt.sign(privateKey);
    },
  };
}

export interface World {
  readonly dir: string;
  readonly caDir: string;
  readonly jwksFile: string;
  readonly tokens: TokenIssuer;
  readonly log: Logger;
  readonly lines: Record<string, unknown>[];
  open(options?: Partial<AuthorityOptions>): Promise<Authority>;
  close(): Promise<void>;
}

/** A folder for an authority, its token issuer and its log. */
export async function world(clock: () => Date = () => new Date()): Promise<World> {
  const folder = temporaryFolder();
  const tokens = tokenIssuer('k1', clock);
  const { log, lines } = memoryLog();
  const jwksFile = join(folder.path, 'jwks.json');
  writeFileSync(jwksFile, await tokens.jwks());
  chmodSync(folder.path, 0o700);
  const opened: Authority[] = [];
  const caDir = join(folder.path, 'ca');
  return {
    dir: folder.path,
    caDir,
    jwksFile,
    tokens,
    log,
    lines,
    async open(options = {}) {
      const authority = await openAuthority({ dir: caDir, trustDomain: TD, clock, log, jwksFile, issuer: ISSUER, ...options });
      opened.push(authority);
      return authority;
    },
    async close() {
      for (const authority of opened) await authority.close();
      folder.remove();
    },
  };
}
