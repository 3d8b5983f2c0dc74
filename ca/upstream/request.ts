import type { KeyObject } from 'node:crypto';
import { generateKey, type KeyType } from '../key-store/key-type.ts';
import { memorySigner } from '../key-store/signer.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import { outcome, refuse, type Outcome } from '../refusal.ts';
import type { X509Certificate } from 'node:crypto';
import { acceptIntermediate, type AcceptedIntermediate } from './accept.ts';
import { intermediateRequest } from './certificate-request.ts';
import type { Upstream } from './upstream.ts';

export interface NewIntermediate extends AcceptedIntermediate {
  readonly key: KeyObject;
}

export interface RequestOptions {
  readonly upstream: Upstream;
  readonly trustDomain: TrustDomain;
  readonly keyType: KeyType;
  readonly ttlSeconds: number;
  readonly clock: () => Date;
}

/** A new key and a checked intermediate for it. The key is new each time: a leaked one ends with its certificate. */
export async function newIntermediate(
  { upstream, trustDomain, keyType, ttlSeconds, clock }: RequestOptions,
  trusted: readonly X509Certificate[] | undefined,
): Promise<Outcome<NewIntermediate>> {
  const key = await generateKey(keyType);
  const signer = memorySigner(key);
  if (!signer.ok) return refuse('internal', signer.reason);
  const signed = await upstream.requestIntermediate(await intermediateRequest(signer.value, trustDomain, ttlSeconds));
  if (!signed.ok) return signed;
  const accepted = acceptIntermediate(signed.value.chainPem, {
    publicKey: signer.value.publicKey,
    trustDomain,
    now: clock(),
    trusted,
  });
  return accepted.ok
    ? outcome({ ...accepted.value, key })
    : refuse('invalid', `what ${upstream.name} signed is not used: ${accepted.reason}`);
}
