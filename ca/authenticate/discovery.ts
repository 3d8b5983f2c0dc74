import { refused, type Parsed } from '../identity/parsed.ts';
import type { GetDocument } from './https-get.ts';
import { parseObject } from '../json-object.ts';

/** Where a token issuer publishes its keys, asked anew each time: OpenID Connect Discovery 1.0, section 4. */
export function discoveredKeys(issuer: string, get: GetDocument): () => Promise<Parsed<string>> {
  return async () => {
    const at = httpsUrl(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    if (at === undefined) return refused(`the issuer ${issuer} is no https address`);
    const document = await get(at);
    if (!document.ok) return document;
    const found = parseConfiguration(document.value);
    if (found === undefined) return refused(`${at.href} is no OpenID configuration`);
    // Otherwise one issuer could speak for another (section 4.3).
    if (found.issuer !== issuer) return refused(`${at.href} is of another issuer`);
    const keys = httpsUrl(found.jwksUri);
    return keys === undefined ? refused(`${at.href} names a jwks_uri that is no https address`) : get(keys);
  };
}

export function httpsUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'https:' && url.username === '' && url.password === '' ? url : undefined;
}

function parseConfiguration(text: string): { readonly issuer: string; readonly jwksUri: string } | undefined {
  const fields = parseObject(text);
  if (fields === undefined) return undefined;
  const { issuer, jwks_uri: jwksUri } = fields;
  return typeof issuer === 'string' && typeof jwksUri === 'string' ? { issuer, jwksUri } : undefined;
}
