import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { parseSpiffeId, type SpiffeId, trustDomainOf } from '../identity/spiffe-id.ts';
import { parseTrustDomain, type TrustDomain } from '../identity/trust-domain.ts';

/** How the server of a bundle is authenticated (SPIFFE Federation, section 5.2). */
export type EndpointProfile =
  /** By a Web PKI certificate for the URL's host; `roots` is a file with other roots than the system's. */
  | { readonly kind: 'https_web'; readonly roots?: string | undefined }
  /** By its SVID; `bundle` is a file with the roots to begin with. */
  | { readonly kind: 'https_spiffe'; readonly endpointId: SpiffeId; readonly bundle?: string | undefined };

/** Another trust domain that is trusted, and where its bundle is published. */
export interface FederatedPeer {
  readonly trustDomain: TrustDomain;
  readonly url: string;
  readonly profile: EndpointProfile;
}

const FIELDS: readonly string[] = Object.freeze(['profile', 'endpointId', 'bundle', 'roots']);

/** `TRUSTDOMAIN=URL[,profile=https_web|https_spiffe][,endpointId=ID][,bundle=FILE][,roots=FILE]`. */
export function parsePeerOption(text: string): Parsed<FederatedPeer> {
  const [first = '', ...others] = text.split(',');
  const at = first.indexOf('=');
  if (at === -1) return refused('write TRUSTDOMAIN=URL, then ,profile=https_web or ,profile=https_spiffe and the rest');
  const fields: Record<string, unknown> = { trustDomain: first.slice(0, at), url: first.slice(at + 1) };
  for (const other of others) {
    const [name = '', ...value] = other.split('=');
    if (!FIELDS.includes(name)) return refused(`${JSON.stringify(name)} is unknown; known are ${FIELDS.join(', ')}`);
    if (fields[name] !== undefined) return refused(`${name} is there twice`);
    fields[name] = value.join('=');
  }
  return parsePeer(fields);
}

/** The same from a YAML map with the fields `trustDomain`, `url`, `profile`, `endpointId`, `bundle`, `roots`. */
export function parsePeer(fields: Readonly<Record<string, unknown>>): Parsed<FederatedPeer> {
  for (const [name, value] of Object.entries(fields)) {
    if (!['trustDomain', 'url', ...FIELDS].includes(name)) return refused(`${JSON.stringify(name)} is unknown`);
    if (typeof value !== 'string' || value === '') return refused(`${name} must be text`);
  }
  const text = (name: string): string | undefined => {
    const value = fields[name];
    return typeof value === 'string' ? value : undefined;
  };
  const trustDomain = parseTrustDomain(text('trustDomain') ?? '');
  if (!trustDomain.ok) return trustDomain;
  const url = parseUrl(text('url') ?? '');
  if (!url.ok) return url;
  const profile = parseProfile(text('profile') ?? 'https_web', text);
  return profile.ok ? parsed({ trustDomain: trustDomain.value, url: url.value, profile: profile.value }) : profile;
}

function parseProfile(name: string, text: (field: string) => string | undefined): Parsed<EndpointProfile> {
  const [endpoint, bundle, roots] = [text('endpointId'), text('bundle'), text('roots')];
  if (name === 'https_web') {
    if (endpoint !== undefined || bundle !== undefined) return refused('endpointId and bundle belong to profile=https_spiffe');
    return parsed({ kind: 'https_web', roots });
  }
  if (name !== 'https_spiffe') return refused('profile must be https_web or https_spiffe');
  if (roots !== undefined) return refused('roots belong to profile=https_web; for https_spiffe give bundle=FILE');
  if (endpoint === undefined)
    return refused('https_spiffe needs endpointId=, the SPIFFE ID of the server that publishes the bundle');
  const id = parseSpiffeId(endpoint);
  if (!id.ok) return refused(`endpointId: ${id.reason}`);
  return parsed({ kind: 'https_spiffe', endpointId: id.value, bundle });
}

/** Peers must be of different trust domains, other than ours; an endpoint's identity must be of a domain with a known bundle. */
export function checkPeers(peers: readonly FederatedPeer[], own: TrustDomain): string | undefined {
  const seen = new Set<TrustDomain>([own]);
  for (const { trustDomain } of peers) {
    if (trustDomain === own) return `${own} is our own trust domain: it cannot be federated with`;
    if (seen.has(trustDomain)) return `${trustDomain} is there twice`;
    seen.add(trustDomain);
  }
  for (const { trustDomain, profile } of peers) {
    if (profile.kind === 'https_spiffe' && !seen.has(trustDomainOf(profile.endpointId)))
      return `${trustDomain}: ${profile.endpointId} is of a trust domain whose bundle is not known`;
  }
  return undefined;
}

/** SPIFFE Federation, section 5.2: https, no user information. */
function parseUrl(text: string): Parsed<string> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return refused(`${JSON.stringify(text)} is no URL`);
  if (url.protocol !== 'https:') return refused('the URL must begin with https://');
  if (url.username !== '' || url.password !== '') return refused('the URL must not contain a user or a password');
  return parsed(url.href);
}
