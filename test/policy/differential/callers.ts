import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import type { StaticSecrets } from '../../../routing/static.ts';
import { carelessAuthority } from './certificates.ts';
import { CERTIFICATES, type Names } from './pools.ts';
import type { Shown } from './raw-client.ts';
import { type Tokens, tokens } from './tokens.ts';

/** Somebody who calls. */
export interface Caller extends Shown {
  readonly kind: 'plain' | 'anonymous' | 'certificate';
  readonly names: Names;
  readonly address: string;
}

export interface People {
  readonly callers: readonly Caller[];
  readonly secrets: StaticSecrets;
  readonly tokens: Tokens;
}

/** The server names that callers ask for, in turn. */
const ASKED = ['app.example', 'APP.Example', undefined, 'outbound_.80_._.app.example', 'other.example'];

/** All callers, and the files that the proxies have their secrets from. */
export async function people(folder: string): Promise<People> {
  const authority = await carelessAuthority();
  const server = await authority.issue({ uris: ['spiffe://cluster.local/ns/shop/sa/server'] });
  mkdirSync(folder, { recursive: true });
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const known = await Promise.all(
    CERTIFICATES.map(async (names, index): Promise<Caller> => {
      const { cert, key } = await authority.issue(names);
      const context = createSecureContext({ cert, key });
      const serverName = ASKED[index % ASKED.length];
      return { kind: 'certificate', names, context, serverName, address: `127.0.0.${1 + (index % 5)}` };
    }),
  );
  return {
    callers: [
      { kind: 'plain', names: {}, context: undefined, serverName: undefined, address: '127.0.0.1' },
      { kind: 'plain', names: {}, context: undefined, serverName: undefined, address: '127.0.0.5' },
      { kind: 'anonymous', names: {}, context: createSecureContext(), serverName: 'app.example', address: '127.0.0.1' },
      ...known,
    ],
    tokens: await tokens(),
    secrets: {
      kind: 'files',
      certificate: file('cert.pem', server.cert),
      key: file('key.pem', server.key),
      roots: file('root.pem', authority.root),
    },
  };
}

/** Whether a sidecar's TLS lets the caller in: a certificate with a SPIFFE ID of a trust domain of the mesh. */
export function passesTls({ kind, names }: Caller, { trustDomain, trustDomainAliases }: MeshConfig): boolean {
  const domains = [trustDomain, ...trustDomainAliases];
  return (
    kind === 'certificate' && (names.uris ?? []).some((uri) => domains.some((domain) => uri.startsWith(`spiffe://${domain}/`)))
  );
}

/** As a request to be evaluated states who calls; a certificate without a URI is one without a SPIFFE ID, not none. */
export function principalOf({ kind, names }: Caller): string | undefined {
  return kind === 'certificate' ? (names.uris ?? []).join(',') : undefined;
}

/** A certificate that does not hold exactly one SPIFFE ID. */
export function isInDoubt(caller: Caller): boolean {
  const principal = principalOf(caller);
  return principal !== undefined && (!principal.startsWith('spiffe://') || principal.includes(','));
}
