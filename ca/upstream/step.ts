import { randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, importJWK, type JWK, SignJWT } from 'jose';
import { outcome, refuse, type Outcome } from '../refusal.ts';
import { callJson, record } from './https.ts';
import { readSecret } from './secret-file.ts';
import type { IntermediateRequest, Upstream } from './upstream.ts';

export interface StepOptions {
  readonly server: URL;
  /** Name of the JWK provisioner whose template makes intermediates. */
  readonly provisioner: string;
  /** Its private key, a JWK in JSON. */
  readonly keyFile: string;
  readonly rootsPem?: string | undefined;
  readonly timeoutMs: number;
  readonly clock: () => Date;
}

/** How long a one-time token may be used; each is made for one call. */
const TOKEN_SECONDS = 120;

/**
 * smallstep's step-ca: `POST /1.0/sign` with a one-time token of a JWK provisioner, which says what the certificate may be for. Its
 * answer leaves the root out, so that is asked for too, over the same verified TLS.
 */
export function stepUpstream(options: StepOptions): Upstream {
  const { server, rootsPem, timeoutMs } = options;
  return {
    name: `step-ca ${server.origin}`,
    async requestIntermediate(request) {
      const ott = await oneTimeToken(options, request);
      if (!ott.ok) return ott;
      const signed = await callJson(
        {
          method: 'POST',
          url: new URL('/1.0/sign', server),
          body: { csr: request.csr, ott: ott.value, notAfter: `${request.ttlSeconds}s` },
        },
        { rootsPem, timeoutMs },
      );
      if (!signed.ok) return signed;
      const { crt, ca, certChain } = record(signed.value);
      const chain: readonly unknown[] = Array.isArray(certChain) ? certChain : [crt, ca];
      const roots = await callJson({ method: 'GET', url: new URL('/1.0/roots', server) }, { rootsPem, timeoutMs });
      if (!roots.ok) return roots;
      const { crts } = record(roots.value);
      const all = [...chain, ...(Array.isArray(crts) ? crts : [])].filter((item) => typeof item === 'string');
      if (typeof chain[0] !== 'string') return refuse('unavailable', `${server.origin}: its answer has no certificate`);
      return outcome({ chainPem: all.map((pem) => `${pem.trim()}\n`).join('') });
    },
  };
}

async function oneTimeToken(
  { server, provisioner, keyFile, clock }: StepOptions,
  { commonName, uri }: IntermediateRequest,
): Promise<Outcome<string>> {
  const secret = await readSecret(keyFile);
  if (!secret.ok) return refuse('unavailable', secret.reason);
  try {
    const jwk = privateJwk(secret.value);
    if (jwk === undefined) return refuse('invalid', `${keyFile} is no private key as JWK (EC, OKP or RSA)`);
    const algorithm = ALGORITHMS[jwk.crv ?? jwk.kty ?? 'RSA'] ?? 'RS256';
    const seconds = Math.floor(clock().getTime() / 1000);
    const token = await new SignJWT({ sans: [uri] })
      .setProtectedHeader({ alg: algorithm, kid: jwk.kid ?? (await calculateJwkThumbprint(jwk)), typ: 'JWT' })
      .setIssuer(provisioner)
      .setSubject(commonName)
      .setAudience(new URL('/1.0/sign', server).href)
      .setIssuedAt(seconds)
      .setNotBefore(seconds - 30)
      .setExpirationTime(seconds + TOKEN_SECONDS)
      .setJti(randomUUID())
      .sign(await importJWK(jwk, algorithm));
    return outcome(token);
  } catch {
    // The message could hold parts of the key.
    return refuse('invalid', `${keyFile}: its key cannot sign`);
  }
}

const ALGORITHMS: Readonly<Record<string, string>> = Object.freeze({
  'P-256': 'ES256',
  'P-384': 'ES384',
  'P-521': 'ES512',
  Ed25519: 'EdDSA',
  RSA: 'RS256',
});

function privateJwk(text: string): JWK | undefined {
  const fields = record(JSON.parse(text));
  const known = Object.entries(fields).filter(
    (entry): entry is [string, string] => JWK_FIELDS.includes(entry[0]) && typeof entry[1] === 'string',
  );
  const { kty, ...rest } = Object.fromEntries(known);
  return kty === undefined || rest['d'] === undefined ? undefined : { kty, ...rest };
}

const JWK_FIELDS: readonly string[] = Object.freeze(['kty', 'kid', 'crv', 'x', 'y', 'd', 'n', 'e', 'p', 'q', 'dp', 'dq', 'qi']);
