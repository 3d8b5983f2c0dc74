import { refused, type Parsed } from '../../ca/identity/parsed.ts';
import { parseJsonWebKeys, type ReadKeys } from '../../mesh/model/json-web-keys.ts';
import type { RemoteKeys } from '../../mesh/model/request-authentication.ts';

/** Reads a document over http or https, bounded in size, within this time in all. */
export type GetDocument = (url: URL, timeoutMs: number) => Promise<Parsed<string>>;

function httpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url : undefined;
}

/** OpenID Connect Discovery 1.0, section 4. */
function configurationUrl(issuer: string): URL | undefined {
  return httpUrl(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
}

function jwksUriIn(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const found = typeof value === 'object' && value !== null && 'jwks_uri' in value ? value.jwks_uri : undefined;
  return typeof found === 'string' ? found : undefined;
}

/**
 * Where the issuer says that its keys are. That the document names the same issuer is not asked for, as Istio does not: it is the
 * rule's issuer that tokens must name.
 */
async function discovered(issuer: string, get: GetDocument, timeoutMs: number): Promise<Parsed<URL>> {
  const at = configurationUrl(issuer);
  if (at === undefined) return refused('the issuer is no http or https address, so a jwksUri must be given');
  const document = await get(at, timeoutMs);
  if (!document.ok) return document;
  const found = jwksUriIn(document.value);
  const url = found === undefined ? undefined : httpUrl(found);
  if (url === undefined) return refused('its OpenID configuration names no jwks_uri that is an http or https address');
  // Whoever can change an answer on the way could otherwise give the keys.
  if (at.protocol === 'https:' && url.protocol !== 'https:') return refused('its OpenID configuration leads from https to http');
  return { ok: true, value: url };
}

function given(uri: string): Parsed<URL> {
  const url = httpUrl(uri);
  return url === undefined ? refused('it is no http or https address') : { ok: true, value: url };
}

/** The keys of one source, asked for now. */
export async function fetchKeys(source: RemoteKeys, get: GetDocument): Promise<Parsed<ReadKeys>> {
  const { timeoutMs } = source;
  const url = source.kind === 'discovery' ? await discovered(source.issuer, get, timeoutMs) : given(source.uri);
  if (!url.ok) return url;
  const document = await get(url.value, timeoutMs);
  return document.ok ? parseJsonWebKeys(document.value) : document;
}
