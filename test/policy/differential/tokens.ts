import { type JsonWebKeys, parseJsonWebKeys } from '../../../mesh/model/json-web-keys.ts';
import { readRequests } from '../../../policy/evaluate/read-requests.ts';
import type { Token } from '../../../policy/evaluate/request.ts';
import { type TokenIssuer, tokenIssuer } from '../request-authentication/tokens.ts';

/** Issuers by index; worlds know the first two. */
export const ISSUERS: readonly string[] = Object.freeze(['iss', 'https://iss.example', 'https://stranger.example']);

const AUDIENCE = ['shop', 'https://shop', 'other'] as const;

/** Claims that tokens have, besides their issuer. */
const CLAIMS: readonly Readonly<Record<string, unknown>>[] = [
  { sub: 'sub' },
  { sub: 'sub', aud: 'shop', azp: 'client', group: 'admin', scope: 'read write' },
  { sub: 'sub', aud: ['shop', 'other'], group: ['user', 'admin'], realm: { role: 'admin' } },
  { sub: 'other', aud: AUDIENCE[1], group: 'administrator', scope: 'write', realm: { role: ['user', 'admin'] } },
  { sub: 'a/b', aud: 'other', group: ['badmin'], scope: ['read', 'write'], roles: 'user admin' },
  { sub: 'sub', group: 7, scope: '', realm: 'admin', roles: ['user admin'] },
  { sub: '', aud: 'shop', azp: 'client2', group: ['admin', 7], 'realm.role': 'admin', realm: [{ role: 'admin' }] },
];

/** A token as it is sent, and what it says; `token` is undefined for one that nobody should believe. */
export interface KnownToken {
  readonly text: string;
  readonly token: Token | undefined;
}

export interface Tokens {
  /** Of each issuer. */
  readonly keys: readonly JsonWebKeys[];
  readonly all: readonly KnownToken[];
}

function tokenOf(claims: object): Token {
  const { requests, faults } = readRequests([{ destination: { namespace: 'shop' }, jwt: { claims } }]);
  const token = requests[0]?.request.token;
  if (token === undefined || faults.length > 0) throw new TypeError(`claims that cannot be read: ${faults.join(', ')}`);
  return token;
}

function keysOf({ jwks }: TokenIssuer): JsonWebKeys {
  const read = parseJsonWebKeys(jwks);
  if (!read.ok) throw new TypeError(read.reason);
  return read.value.keys;
}

/** How many tokens there are: requests choose one by its number. */
export const TOKENS = ISSUERS.length * CLAIMS.length + 3;

/** Signs all tokens, of every issuer the same ones, and some that nobody should believe. */
export async function tokens(): Promise<Tokens> {
  const issuers = await Promise.all(ISSUERS.map((issuer, index) => tokenIssuer(issuer, `key-${index}`)));
  const signed = issuers.flatMap((issuer) =>
    CLAIMS.map(async (claims): Promise<KnownToken> => {
      // What a token says of itself is any JSON, more than the signing library's types have.
      const text = await issuer.sign(claims);
      return { text, token: tokenOf({ iss: issuer.issuer, ...claims }) };
    }),
  );
  const [known] = issuers;
  const forger = await tokenIssuer(ISSUERS[0] ?? '', 'key-0');
  if (known === undefined) throw new TypeError('no issuer');
  const bad = [
    known.sign({ sub: 'sub', exp: 1_000_000_000 }),
    forger.sign({ sub: 'sub', group: 'admin' }),
    Promise.resolve('not.a.token'),
  ].map(async (text): Promise<KnownToken> => ({ text: await text, token: undefined }));
  return { keys: issuers.map(keysOf), all: await Promise.all([...signed, ...bad]) };
}
