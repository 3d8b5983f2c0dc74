import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { IstioCertificateRequestSchema } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import { requestPem } from '../../test/ca/requests.ts';

export const ISSUER = 'https://kubernetes.default.svc';

/** A key that signs tokens: RS256 is what Kubernetes has by default. */
export interface TokenKey {
  readonly kid: 'ES256' | 'RS256';
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function tokenKeys(): readonly [TokenKey, TokenKey] {
  return [
    { kid: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
    { kid: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  ];
}

export function jwks(keys: readonly TokenKey[]): string {
  return JSON.stringify({
    keys: keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid, alg: kid, use: 'sig' })),
  });
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token with the claims of a projected Kubernetes service-account token; `number` makes it unlike all others. */
export function token({ kid, privateKey }: TokenKey, number: number): string {
  const now = Math.floor(Date.now() / 1000);
  const uid = '5c1f3f6e-0f0e-4a0e-8f5e-3b6d1d2c9a11';
  const claims = {
    aud: ['istio-ca'],
    exp: now + 43_200,
    iat: now,
    iss: ISSUER,
    jti: `bench-${number}`,
    'kubernetes.io': {
      namespace: 'shop',
      node: { name: 'node-1', uid },
      pod: { name: `cart-${number}`, uid },
      serviceaccount: { name: 'cart', uid },
    },
    nbf: now - 10,
    sub: 'system:serviceaccount:shop:cart',
  };
  const signed = `${base64url({ alg: kid, kid })}.${base64url(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** Requests with as many different P-256 keys, as gRPC messages with their five-byte prefix. */
export function requests(count: number): readonly Buffer[] {
  return Array.from({ length: count }, () => {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return framedRequest(requestPem({ key, uris: ['spiffe://cluster.local/ns/shop/sa/cart'] }));
  });
}

export function framedRequest(csr: string): Buffer {
  const request = create(IstioCertificateRequestSchema, { csr, validityDuration: 3600n });
  const message = toBinary(IstioCertificateRequestSchema, request);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
