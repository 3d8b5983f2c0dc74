import type { Logger } from 'pino';
import type { AuthenticateCall, CallEvidence } from '../authenticate/call.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import type { LogRecord } from '../log/record.ts';
import { outcome, type Outcome, refuse } from '../refusal.ts';
import { AuthorityError } from '../root/error.ts';
import type { Every } from '../tls/credentials.ts';
import { datedClaims, grantJwtSvid, type JwtSvid, type JwtSvidRequest, signJwtSvid } from './jwt-svid.ts';
import type { PublicJwk } from './key.ts';
import type { JwtKeyStore } from './key-file.ts';
import { openJwtKeys } from './keys.ts';

export interface JwtRules {
  /** Longest lifetime of a token, in seconds, and what is given when nothing is asked; default 300. */
  readonly maxTtlSeconds?: number | undefined;
  /** How long a key signs, in seconds; default 24 h. */
  readonly keyPeriodSeconds?: number | undefined;
  /** How long a key is published before it signs, in seconds; default 15 min. */
  readonly keyLeadSeconds?: number | undefined;
}

export interface JwtAuthority {
  /** Never rejects for what a caller sent. */
  readonly issue: (call: CallEvidence, request: JwtSvidRequest) => Promise<Outcome<JwtSvid>>;
  readonly bundle: () => JwtBundle;
  close(): Promise<void>;
}

export interface JwtBundle {
  readonly trustDomain: TrustDomain;
  readonly keys: readonly PublicJwk[];
  /** How long it may be kept without asking again. */
  readonly refreshHintSeconds: number;
}

export interface JwtAuthorityOptions extends JwtRules {
  readonly trustDomain: TrustDomain;
  readonly store: JwtKeyStore;
  readonly authenticate: AuthenticateCall;
  /** Writes to the issuance log; resolves once it is on disk. */
  readonly commit: (record: LogRecord) => Promise<void>;
  readonly clock: () => Date;
  readonly every: Every;
  readonly log: Logger;
}

const DEFAULT_TTL_SECONDS = 300;
const DEFAULT_PERIOD_SECONDS = 24 * 3600;
const DEFAULT_LEAD_SECONDS = 15 * 60;
/** Verifiers allow their clocks to be this far off. */
const CLOCK_SLACK_SECONDS = 60;

/** Signs JWT-SVIDs for callers that prove who they are. Rejects with AuthorityError when its keys cannot be used. */
export async function openJwtAuthority(options: JwtAuthorityOptions): Promise<JwtAuthority> {
  const {
    maxTtlSeconds = DEFAULT_TTL_SECONDS,
    keyPeriodSeconds = DEFAULT_PERIOD_SECONDS,
    keyLeadSeconds = DEFAULT_LEAD_SECONDS,
  } = options;
  const { trustDomain, clock, log } = options;
  if (!(maxTtlSeconds >= 1)) throw new AuthorityError('the lifetime of JWT-SVIDs must be at least one second');
  if (!(keyLeadSeconds >= 1) || !(keyPeriodSeconds >= 2 * keyLeadSeconds))
    throw new AuthorityError('a key of JWT-SVIDs must sign for at least twice as long as it is published before');
  const keepMs = (maxTtlSeconds + CLOCK_SLACK_SECONDS) * 1000;
  const rules = { periodMs: keyPeriodSeconds * 1000, leadMs: keyLeadSeconds * 1000, keepMs };
  const keys = await openJwtKeys({ ...options, rules });
  return {
    async issue(call, request) {
      const caller = await options.authenticate(call);
      if (!caller.ok) return caller;
      const granted = grantJwtSvid(caller.value, request, maxTtlSeconds);
      if (!granted.ok) return granted;
      const now = clock();
      const claims = datedClaims(granted.value, now);
      const key = keys.signing();
      const { spiffeId: identity, audience, expiresAt } = claims;
      const { evidence } = caller.value;
      try {
        await options.commit({
          ...{ kind: 'jwt', time: now.toISOString(), identity, audience, evidence },
          ...{ kid: key.kid, expiresAt: expiresAt.toISOString() },
        });
      } catch {
        return refuse('unavailable', 'the issuance log cannot be written');
      }
      log.info({ spiffeId: identity, audience, kid: key.kid, expiresAt }, 'JWT-SVID issued');
      try {
        return outcome(await signJwtSvid(claims, key));
      } catch {
        return refuse('unavailable', 'the key for JWT-SVIDs cannot be reached');
      }
    },
    bundle: () => ({
      trustDomain,
      keys: keys.published().map(({ publicJwk }) => publicJwk),
      // A third of the lead, so that one attempt that fails does no harm.
      refreshHintSeconds: Math.max(1, Math.floor(keyLeadSeconds / 3)),
    }),
    close: () => keys.close(),
  };
}
