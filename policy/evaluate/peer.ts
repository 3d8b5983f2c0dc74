import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { isText } from './text.ts';
import type { Truth } from './truth.ts';

// A peer is known here by its SPIFFE ID without `spiffe://`: `TRUST-DOMAIN/ns/NS/sa/SA`; undefined when it is not
// authenticated, and then it is nobody: no principal, no namespace and no service account matches it.

function splitDomain(id: string): readonly [string, string] | undefined {
  const slash = id.indexOf('/');
  return slash < 0 ? undefined : [id.slice(0, slash), id.slice(slash)];
}

/** The mesh's own trust domain under all its names. */
function ownDomains(meshConfig: MeshConfig): readonly string[] {
  return [meshConfig.trustDomain, ...meshConfig.trustDomainAliases];
}

/**
 * Whether the peer is one that `principals` names. A value in the mesh's own trust domain (by its name, an alias, or
 * `cluster.local`, which stands for it) means that account under every name of the domain.
 */
export function principalTest(values: readonly PolicyMatch[], meshConfig: MeshConfig): (peer: string | undefined) => boolean {
  const own = new Set(ownDomains(meshConfig));
  // Exact ones under every name of their domain, so that any number of them is one look-up.
  const exact = new Set<string>();
  const others: PolicyMatch[] = [];
  for (const value of values) {
    const bare = matchWithoutScheme(value);
    const named = bare.kind === 'exact' ? splitDomain(bare.value) : undefined;
    if (bare.kind !== 'exact') others.push(bare);
    else if (named === undefined || !(named[0] === LOCAL || own.has(named[0]))) exact.add(bare.value);
    else for (const domain of own) exact.add(`${domain}${named[1]}`);
  }
  return (peer) => {
    if (peer === undefined) return false;
    return exact.has(peer) || (others.length > 0 && isOneOfWildcards(others, peer, own));
  };
}

function isOneOfWildcards(values: readonly PolicyMatch[], peer: string, own: ReadonlySet<string>): boolean {
  const called = splitDomain(peer);
  return values.some((value) => isWildcard(value, peer, called, own));
}

const LOCAL = 'cluster.local';

function matchWithoutScheme(value: PolicyMatch): PolicyMatch {
  if (value.kind !== 'exact' && value.kind !== 'prefix') return value;
  return { kind: value.kind, value: withoutScheme(value.value) };
}

function isWildcard(
  value: PolicyMatch,
  peer: string,
  called: readonly [string, string] | undefined,
  own: ReadonlySet<string>,
): boolean {
  if (value.kind === 'present' || value.kind === 'template') return isText(value, peer);
  if (value.value === '') return true;
  const named = splitDomain(value.value);
  if (named === undefined || called === undefined) return isText(value, peer);
  if (value.kind === 'suffix') {
    if (isText(value, peer)) return true;
    const wholeId = named[0] !== '' && named[1].split('/').length === 5;
    return wholeId && [...own].some((name) => name.endsWith(named[0])) && own.has(called[0]) && called[1] === named[1];
  }
  const ours = named[0] === LOCAL || own.has(named[0]);
  return ours ? own.has(called[0]) && called[1].startsWith(named[1]) : isText(value, peer);
}

/** {@link principalTest} of one value. */
export function isPrincipal(value: PolicyMatch, peer: string | undefined, meshConfig: MeshConfig): boolean {
  return principalTest([value], meshConfig)(peer);
}

function positions(text: string, part: string): readonly number[] {
  const found: number[] = [];
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) found.push(at);
  return found;
}

/** What follows each `/ns/` of an ID whose trust domain is not empty. */
function afterNs(peer: string): readonly string[] {
  return peer.startsWith('/')
    ? []
    : positions(peer, '/ns/')
        .filter((at) => at > 0)
        .map((at) => peer.slice(at + 4));
}

/** True when the peer is of that namespace. A wildcard may reach over a `/`, as in Istio. */
export function isNamespace(value: PolicyMatch, peer: string | undefined): boolean {
  if (peer === undefined) return false;
  return afterNs(peer).some((rest) => {
    switch (value.kind) {
      case 'present':
        return rest.includes('/');
      case 'prefix':
        return rest.startsWith(value.value) && rest.includes('/', value.value.length);
      case 'suffix':
        return rest.includes(`${value.value}/`);
      case 'exact':
      case 'template':
        return rest.startsWith(`${value.value}/`);
      default:
        return value satisfies never;
    }
  });
}

/** True when the peer is of that trust domain: what stands before the first `/` of its ID. */
export function isTrustDomain(value: PolicyMatch, peer: string | undefined): boolean {
  const domain = peer === undefined ? undefined : splitDomain(peer)?.[0];
  return domain !== undefined && isText(value, domain);
}

/** Whether the peer runs as `NAMESPACE/NAME` (or NAME, in the policy's namespace), whatever else its path holds. */
export function isServiceAccount(value: PolicyMatch, peer: string | undefined, ownNamespace: string): Truth {
  if (value.kind !== 'exact') return 'unknown';
  if (peer === undefined) return false;
  const slash = value.value.indexOf('/');
  const namespace = slash < 0 ? ownNamespace : value.value.slice(0, slash);
  const account = `sa/${value.value.slice(slash + 1)}`;
  return positions(peer, `/ns/${namespace}/`)
    .filter((at) => at > 0)
    .map((at) => peer.slice(at + namespace.length + 5))
    .some((rest) =>
      positions(rest, account).some((at) => {
        const tail = rest.slice(at + account.length);
        return (at === 0 || (at > 1 && rest[at - 1] === '/')) && (tail === '' || (tail.startsWith('/') && tail.length > 1));
      }),
    );
}
