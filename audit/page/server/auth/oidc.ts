import { createHash, randomBytes } from 'node:crypto';
import { createRemoteJWKSet, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Viewer } from '../viewer.ts';
import { namespacesIn } from './namespaces.ts';

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined for a public client: PKCE alone. */
  readonly clientSecret: string | undefined;
  /** The claim with namespaces, and what stands before them in it; values without it do not count. */
  readonly claim: string;
  readonly prefix: string;
  readonly scopes: string;
  readonly redirectUri: string;
}

/** What is kept in the browser between the two halves of signing in. */
export interface Attempt {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export class SignInRefused extends Error {}

interface Endpoints {
  readonly authorization: URL;
  readonly token: URL;
  readonly keys: JWTVerifyGetKey;
}

const TIMEOUT_MS = 10_000;
const MOST_BYTES = 256 * 1024;
/** Never `none`, never a secret that both sides share. */
const ALGORITHMS = Object.freeze([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]);
const TOLERANCE_S = 30;
const DISCOVERED_MS = 3_600_000;

/** Providers are asked over TLS; without it only on this machine. */
export function isTrustworthy(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname));
}

async function json(url: URL, init: RequestInit): Promise<ReadonlyMap<string, unknown>> {
  const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await response.text();
  if (!response.ok || text.length > MOST_BYTES) throw new SignInRefused(`${url.origin} answered ${response.status}`);
  const content: unknown = JSON.parse(text);
  return new Map(typeof content === 'object' && content !== null ? Object.entries(content) : []);
}

function urlIn(fields: ReadonlyMap<string, unknown>, name: string): URL {
  const text = fields.get(name);
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !isTrustworthy(url)) throw new SignInRefused(`the provider tells no ${name} over TLS`);
  return url;
}

/** OpenID Connect: Authorization Code with PKCE (RFC 7636) for people, and the provider's tokens for programs. */
export class Oidc {
  readonly settings: OidcSettings;
  #endpoints: { readonly at: number; readonly known: Promise<Endpoints> } | undefined;
  readonly #clock: () => Date;

  constructor(settings: OidcSettings, clock: () => Date) {
    this.settings = settings;
    this.#clock = clock;
  }

  /** Where the browser is sent, and what it must bring back. */
  async begin(): Promise<{ readonly url: URL; readonly attempt: Attempt }> {
    const { authorization } = await this.#discovered();
    const random = (): string => randomBytes(32).toString('base64url');
    const attempt = { state: random(), nonce: random(), verifier: random() };
    const { clientId, redirectUri, scopes } = this.settings;
    const url = new URL(authorization);
    const parameters = {
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      scope: scopes,
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: createHash('sha256').update(attempt.verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return { url, attempt };
  }

  /** @throws SignInRefused, or whatever makes the token invalid */
  async complete(code: string, { nonce, verifier }: Attempt): Promise<Viewer> {
    const { token } = await this.#discovered();
    const { clientId, clientSecret, redirectUri } = this.settings;
    const body = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    });
    const headers: Record<string, string> = { accept: 'application/json' };
    // RFC 6749, section 2.3.1: both are form-encoded first.
    if (clientSecret === undefined) body.set('client_id', clientId);
    else
      headers['authorization'] =
        `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')}`;
    const answer = await json(token, { method: 'POST', body, headers });
    const idToken = answer.get('id_token');
    if (typeof idToken !== 'string') throw new SignInRefused('the provider gave no ID token');
    const claims = await this.#verified(idToken);
    if (claims['nonce'] !== nonce) throw new SignInRefused('the ID token is of another sign-in');
    return this.#viewer(claims);
  }

  /** A token of the provider that was made for us. */
  async bearer(token: string): Promise<Viewer> {
    return this.#viewer(await this.#verified(token));
  }

  async #verified(token: string): Promise<JWTPayload> {
    const { keys } = await this.#discovered();
    const { issuer, clientId } = this.settings;
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: clientId,
      algorithms: [...ALGORITHMS],
      clockTolerance: TOLERANCE_S,
      currentDate: this.#clock(),
      requiredClaims: ['exp', 'iat', 'sub'],
    });
    // OpenID Connect Core, section 3.1.3.7: who asked for a token for several must be us.
    if (Array.isArray(payload.aud) && payload.aud.length > 1 && payload['azp'] !== clientId)
      throw new SignInRefused('the token was made for another client');
    return payload;
  }

  #viewer(claims: JWTPayload): Viewer {
    const { claim, prefix } = this.settings;
    const value = claims[claim];
    const list: readonly unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(' ') : [];
    const names = list.flatMap((one) => (typeof one === 'string' && one.startsWith(prefix) ? [one.slice(prefix.length)] : []));
    const namespaces = namespacesIn(names);
    if (namespaces !== 'all' && namespaces.size === 0)
      throw new SignInRefused(`the claim ${claim} of the token names no namespace${prefix === '' ? '' : ` after ${prefix}`}`);
    const {
      email,
      preferred_username: username,
      sub,
    } = { email: claims['email'], preferred_username: claims['preferred_username'], sub: claims.sub };
    const name = [email, username, sub].find((one): one is string => typeof one === 'string' && one !== '') ?? 'unnamed';
    return { name: name.slice(0, 200), namespaces };
  }

  #discovered(): Promise<Endpoints> {
    const now = this.#clock().getTime();
    if (this.#endpoints !== undefined && now - this.#endpoints.at < DISCOVERED_MS) return this.#endpoints.known;
    const known = this.#discover();
    this.#endpoints = { at: now, known };
    known.catch(() => (this.#endpoints = undefined));
    return known;
  }

  async #discover(): Promise<Endpoints> {
    const { issuer } = this.settings;
    const fields = await json(new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`), {});
    if (fields.get('issuer') !== issuer) throw new SignInRefused('the provider calls itself by another name');
    return {
      authorization: urlIn(fields, 'authorization_endpoint'),
      token: urlIn(fields, 'token_endpoint'),
      keys: createRemoteJWKSet(urlIn(fields, 'jwks_uri'), { timeoutDuration: TIMEOUT_MS }),
    };
  }
}
