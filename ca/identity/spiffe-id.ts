import { parsed, refused, type Parsed } from './parsed.ts';
import { parseTrustDomain, type TrustDomain } from './trust-domain.ts';

declare const spiffeId: unique symbol;

/** A SPIFFE ID, `spiffe://trust-domain/path`, in its one canonical spelling. Made only by the parsers here. */
export type SpiffeId = string & { readonly [spiffeId]: true };

/** Whom a workload's SPIFFE ID names: a Kubernetes service account of one trust domain. */
export interface WorkloadIdentity {
  readonly trustDomain: TrustDomain;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const SCHEME = 'spiffe://';
// The SPIFFE-ID standard, section 2.3.
const LONGEST = 2048;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** Why the segment cannot stand in a path, or undefined. */
function badSegment(segment: string): string | undefined {
  if (segment === '') return 'path cannot contain empty segments';
  if (segment === '.' || segment === '..') return 'path cannot contain dot segments';
  if (!SEGMENT.test(segment)) return 'path segment characters are limited to letters, numbers, dots, dashes, and underscores';
  return undefined;
}

function badPath(path: string): string | undefined {
  if (path === '') return undefined;
  const segments = path.slice(1).split('/');
  for (const [index, segment] of segments.entries()) {
    if (segment === '' && index === segments.length - 1) return 'path cannot have a trailing slash';
    const reason = badSegment(segment);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function pathStart(text: string): number {
  const slash = text.indexOf('/', SCHEME.length);
  return slash === -1 ? text.length : slash;
}

function whyNot(text: string): string | undefined {
  if (text === '') return 'cannot be empty';
  if (text.length > LONGEST) return `SPIFFE ID is longer than ${LONGEST} bytes`;
  if (!text.startsWith(SCHEME)) return 'scheme is missing or invalid';
  const start = pathStart(text);
  const domain = parseTrustDomain(text.slice(SCHEME.length, start));
  return domain.ok ? badPath(text.slice(start)) : domain.reason;
}

/** An identity as policies, commands and reports write it. What is no SPIFFE ID stays as it is. */
export function withoutScheme(identity: string): string {
  return identity.startsWith(SCHEME) ? identity.slice(SCHEME.length) : identity;
}

/** What people write with or without the scheme, as a certificate has it; whether it is an identity is not looked at. */
export function withScheme(text: string): string {
  return text.startsWith(SCHEME) ? text : `${SCHEME}${text}`;
}

function isSpiffeId(text: string): text is SpiffeId {
  return whyNot(text) === undefined;
}

/**
 * Parses a SPIFFE ID by go-spiffe's strict rules: lower-case scheme and trust domain, no percent-encoding, no empty or
 * dot segments, no trailing slash. An ID without a path (the trust domain itself) is valid. Istio is laxer; see docs/ca.md.
 */
export function parseSpiffeId(text: string): Parsed<SpiffeId> {
  return isSpiffeId(text) ? parsed(text) : refused(whyNot(text) ?? 'not a SPIFFE ID');
}

/** The ID with that path in a trust domain; no segments give the trust domain's own ID. */
export function spiffeIdFromSegments(domain: TrustDomain, segments: readonly string[]): Parsed<SpiffeId> {
  for (const segment of segments) {
    const reason = badSegment(segment);
    if (reason !== undefined) return refused(reason);
  }
  return parseSpiffeId([`${SCHEME}${domain}`, ...segments].join('/'));
}

/** Parses a trust domain given either by name or by any SPIFFE ID in it (go-spiffe's TrustDomainFromString). */
export function parseTrustDomainOrId(text: string): Parsed<TrustDomain> {
  if (!text.includes(':/')) return parseTrustDomain(text);
  const id = parseSpiffeId(text);
  return id.ok ? parsed(trustDomainOf(id.value)) : id;
}

/** `spiffe://TD/ns/NAMESPACE/sa/ACCOUNT` from parts that came from outside, such as the claims of a token. */
export function parseWorkloadSpiffeId(domain: TrustDomain, namespace: string, serviceAccount: string): Parsed<SpiffeId> {
  return spiffeIdFromSegments(domain, ['ns', namespace, 'sa', serviceAccount]);
}

/** As `parseWorkloadSpiffeId`, for parts already known to be Kubernetes names; anything else is a bug and throws RangeError. */
export function workloadSpiffeId(domain: TrustDomain, namespace: string, serviceAccount: string): SpiffeId {
  const id = parseWorkloadSpiffeId(domain, namespace, serviceAccount);
  if (!id.ok) throw new RangeError(`no SPIFFE ID for ${JSON.stringify({ namespace, serviceAccount })}: ${id.reason}`);
  return id.value;
}

export function trustDomainOf(id: SpiffeId): TrustDomain {
  const domain = parseTrustDomain(id.slice(SCHEME.length, pathStart(id)));
  if (!domain.ok) throw new RangeError(domain.reason);
  return domain.value;
}

/** The path with its leading slash, or '' for the trust domain's own ID. */
export function pathOf(id: SpiffeId): string {
  return id.slice(pathStart(id));
}

/** The workload that the ID names, or undefined when its path is not exactly `/ns/NAMESPACE/sa/ACCOUNT`. */
export function workloadOf(id: SpiffeId): WorkloadIdentity | undefined {
  const segments = pathOf(id).split('/');
  const [, ns, namespace, sa, serviceAccount] = segments;
  if (segments.length !== 5 || ns !== 'ns' || sa !== 'sa') return undefined;
  if (namespace === undefined || serviceAccount === undefined) return undefined;
  return { trustDomain: trustDomainOf(id), namespace, serviceAccount };
}
