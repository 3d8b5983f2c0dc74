import type { KeyType } from '../key-store/key-type.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { outcome, refuse, type Outcome } from '../refusal.ts';
import type { X509Certificate } from 'node:crypto';
import { acceptIntermediate, type AcceptedIntermediate } from './accept.ts';
import { intermediateRequest } from './certificate-request.ts';
import { type KeptKey, type KeyPlace, keysInFiles } from './key-place.ts';
import type { Upstream } from './upstream.ts';

export interface NewIntermediate extends AcceptedIntermediate {
  readonly key: KeptKey;
}

export interface RequestOptions {
  readonly upstream: Upstream;
  readonly trustDomain: TrustDomain;
  readonly keyType: KeyType;
  /** Files by default. */
  readonly keys?: KeyPlace | undefined;
  readonly ttlSeconds: number;
  readonly clock: () => Date;
}

/** A new key and a checked intermediate for it. The key is new each time: a leaked one ends with its certificate. */
export async function newIntermediate(
  { upstream, trustDomain, keyType, keys = keysInFiles(), ttlSeconds, clock }: RequestOptions,
  trusted: readonly X509Certificate[] | undefined,
): Promise<Outcome<NewIntermediate>> {
  const { signer, kept, discard } = await keys.make(keyType);
  let used = false;
  try {
    const signed = await upstream.requestIntermediate(await intermediateRequest(signer, trustDomain, ttlSeconds));
    if (!signed.ok) return signed;
    const { publicKey } = signer;
    const accepted = acceptIntermediate(signed.value.chainPem, { publicKey, trustDomain, now: clock(), trusted });
    if (!accepted.ok) return refuse('invalid', `what ${upstream.name} signed is not used: ${accepted.reason}`);
    used = true;
    return outcome({ ...accepted.value, key: kept });
  } finally {
    await signer.close?.();
    if (!used) await discard();
  }
}
