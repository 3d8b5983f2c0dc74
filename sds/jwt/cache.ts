import { decodeJwt } from 'jose';
import type { Parsed } from '../../ca/identity/parsed.ts';
import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { Svid } from '../identity/accept.ts';
import { audienceKey } from './audience.ts';
import type { JwtAuthority, JwtFailure } from './authority.ts';

export interface JwtCacheOptions {
  readonly id: SpiffeId;
  readonly authority: JwtAuthority;
  /** The certificate to ask with: one that is valid now. */
  readonly svid: () => Svid | undefined;
  readonly rootsPem: () => string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Entry {
  readonly svid: string;
  /** Milliseconds since the epoch. */
  readonly refreshAt: number;
  readonly expires: number;
}

const MOST_ENTRIES = 100;
const LARGEST_TOKEN = 64 * 1024;
/** A token with less than this to live is of no use to who gets it. */
const LEAST_LIFE_MS = 1000;

/**
 * The JWT-SVIDs of one workload: one for each set of audiences, given again until half of its life has passed. If the
 * authority is away then, the one in hand is given until its end.
 */
export class JwtCache {
  readonly #options: JwtCacheOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #asking = new Map<string, Promise<Entry | JwtFailure>>();

  constructor(options: JwtCacheOptions) {
    this.#options = options;
  }

  async token(audience: readonly string[]): Promise<{ readonly kind: 'token'; readonly svid: string } | JwtFailure> {
    const key = audienceKey(audience);
    const known = this.#entries.get(key);
    const { now } = this.#options;
    if (known !== undefined && now() < known.refreshAt) return { kind: 'token', svid: known.svid };
    const asking = this.#asking.get(key) ?? this.#ask(key, [...new Set(audience)]);
    this.#asking.set(key, asking);
    const found = await asking.finally(() => this.#asking.delete(key));
    if (!('kind' in found)) return { kind: 'token', svid: found.svid };
    if (known !== undefined && now() < known.expires - LEAST_LIFE_MS) return { kind: 'token', svid: known.svid };
    return found;
  }

  async #ask(key: string, audience: readonly string[]): Promise<Entry | JwtFailure> {
    const { authority, svid, rootsPem, id, now } = this.#options;
    const [client, roots] = [svid(), rootsPem()];
    if (client === undefined || roots === undefined)
      return { kind: 'failed', code: 'UNAVAILABLE', reason: 'there is no valid certificate to ask with' };
    const answer = await authority.create({ audience, rootsPem: roots, client });
    if (answer.kind === 'failed') return answer;
    const received = now();
    const expires = acceptedUntil(answer.svid, id, audience, received);
    if (!expires.ok)
      return { kind: 'failed', code: 'INTERNAL', reason: `the authority's JWT-SVID was refused: ${expires.reason}` };
    const entry = { svid: answer.svid, expires: expires.value, refreshAt: received + (expires.value - received) / 2 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > MOST_ENTRIES && oldest.done !== true) this.#entries.delete(oldest.value);
    return entry;
  }
}

/**
 * When a token that the authority sent ends, or why it is not what was asked for. The connection says who sent it; the
 * signature is for those to whom the workload will show it.
 */
function acceptedUntil(token: string, id: SpiffeId, audience: readonly string[], now: number): Parsed<number> {
  if (token.length > LARGEST_TOKEN) return { ok: false, reason: 'it is larger than 64 KiB' };
  try {
    const { sub, aud, exp } = decodeJwt(token);
    const given = typeof aud === 'string' ? [aud] : (aud ?? []);
    if (sub !== id) return { ok: false, reason: 'it is for another identity' };
    if (audienceKey(given) !== audienceKey(audience)) return { ok: false, reason: 'it is for another audience' };
    if (exp === undefined || exp * 1000 <= now) return { ok: false, reason: 'it has expired' };
    return { ok: true, value: exp * 1000 };
  } catch {
    return { ok: false, reason: 'it is no JWT' };
  }
}
